import Synchronization

/// How many candidates a step of a detector left of those that it was given.
public struct SelectionStep: Sendable, Hashable, Codable {
  /// The part of the network: `proposals`, `regions`, `boxes`.
  public let part: String
  /// What stayed, in words: `anchors`, `left by suppression at 0.7`.
  public let step: String
  /// How many.
  public let count: Int

  /// `count` that a step of a part left.
  public init(part: String, step: String, count: Int) {
    (self.part, self.step, self.count) = (part, step, count)
  }
}

/// What a choice of boxes left step by step, all pictures together, in the order of the steps.
struct SelectionCounts {
  private let part: String
  private var steps: [(name: String, count: Int)] = []

  init(_ part: String) { self.part = part }

  /// Counts `count` more that a step left.
  mutating func add(_ step: String, _ count: Int) {
    if let index = steps.firstIndex(where: { $0.name == step }) {
      steps[index].count += count
    } else {
      steps.append((step, count))
    }
  }

  fileprivate var all: [SelectionStep] {
    steps.map { SelectionStep(part: part, step: $0.name, count: $0.count) }
  }

  /// Tells whoever asked for it; the last call of a part counts.
  func tell() { SelectionJournal.current?.note(self) }
}

/// Where choices of boxes say what they left, while somebody wants to know: the choices themselves compute the same whether somebody does or not.
final class SelectionJournal: Sendable {
  @TaskLocal static var current: SelectionJournal?

  private let parts = Mutex<[(part: String, steps: [SelectionStep])]>([])

  fileprivate func note(_ counts: SelectionCounts) {
    let steps = counts.all
    guard let part = steps.first?.part else { return }
    parts.withLock { parts in
      if let index = parts.firstIndex(where: { $0.part == part }) {
        parts[index].steps = steps
      } else {
        parts.append((part, steps))
      }
    }
  }

  var steps: [SelectionStep] { parts.withLock { $0.flatMap(\.steps) } }
}
