import Foundation

extension LoadedClassifier {
  /// Whether the outputs have names; else they are called `class 0`, `class 1`, ….
  public var hasClassNames: Bool { labels != labels.indices.map { "class \($0)" } }

  /// For each name of a class, as folders have them, the output that it is of.
  ///
  /// The names are ``labels``, any of several that a label gives with commas between, and for ImageNet's classes also WordNet's numbers
  /// (`n01440764`, `n01440764_tench`) and synonyms. Case, blanks, underscores and hyphens do not count.
  /// - Throws: ``UnknownClasses`` with all names that are of no class, or of several.
  public func outputs(of names: [String]) throws -> [Int] {
    let synonyms = try ClassSynonyms(labels)
    var problems = UnknownClasses(unknown: [], ambiguous: [], labels: labels)
    let outputs = names.map { name -> Int in
      let candidates = synonyms.candidates(for: name)
      if candidates.isEmpty { problems.unknown.append(name) }
      if candidates.count > 1 { problems.ambiguous.append(.init(name: name, classes: candidates)) }
      return candidates.first ?? 0
    }
    guard problems.unknown.isEmpty, problems.ambiguous.isEmpty else { throw problems }
    return outputs
  }
}

/// Names of classes that the weights do not know, or that leave a choice.
public struct UnknownClasses: Error, CustomStringConvertible, Equatable {
  /// A name that several classes have.
  public struct Choice: Sendable, Equatable {
    /// The name as it was given.
    public let name: String
    /// The numbers of the outputs that it can stand for.
    public let classes: [Int]
  }

  /// The names that are of no class.
  public fileprivate(set) var unknown: [String]
  /// The names that are of several.
  public fileprivate(set) var ambiguous: [Choice]
  /// What the weights do know.
  public let labels: [String]

  public var description: String {
    var parts: [String] = []
    if !unknown.isEmpty {
      let known = labels.prefix(10).joined(separator: ", ") + (labels.count > 10 ? ", …" : "")
      parts.append(
        "the weights know no class \(unknown.joined(separator: ", ")); their \(labels.count) are \(known)")
    }
    parts += ambiguous.map { choice in
      "\(choice.name) can be class \(choice.classes.map(String.init).joined(separator: " or "))"
        + ": name the folder by its WordNet number"
    }
    return parts.joined(separator: "; ")
  }
}

/// The outputs that a name can stand for.
private struct ClassSynonyms {
  private var exact: [String: [Int]] = [:]
  private var simplified: [String: [Int]] = [:]
  /// Names that are one of several for a class.
  private var synonyms: [String: [Int]] = [:]
  private var wordNet: [String: Int] = [:]

  init(_ labels: [String]) throws {
    for (index, label) in labels.enumerated() {
      exact[label, default: []].append(index)
      simplified[Self.simplified(label), default: []].append(index)
      add(synonyms: label, of: index)
    }
    let synsets = try LabelSet.synsets()
    // Some tools write ImageNet's labels with underscores, and with another of the synonyms.
    let known = zip(labels, synsets).count { label, synset in
      synset.names.contains { Self.simplified($0) == Self.simplified(label) }
    }
    guard labels.count == synsets.count, known * 10 >= labels.count * 9 else { return }
    for (index, synset) in synsets.enumerated() {
      wordNet[synset.number] = index
      for name in synset.names { add(synonym: name, of: index) }
      add(synonym: synset.names.joined(separator: ", "), of: index)
    }
  }

  private mutating func add(synonyms label: String, of index: Int) {
    let names = label.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    if names.count > 1 { for name in names { add(synonym: name, of: index) } }
  }

  private mutating func add(synonym: String, of index: Int) {
    let name = Self.simplified(synonym)
    if synonyms[name]?.contains(index) != true { synonyms[name, default: []].append(index) }
  }

  /// The outputs of the closest kind of equality that has any.
  func candidates(for name: String) -> [Int] {
    let number = String(name.prefix { $0.isLetter || $0.isNumber })
    let simple = Self.simplified(name)
    return exact[name] ?? wordNet[number].map { [$0] } ?? simplified[simple] ?? synonyms[simple] ?? []
  }

  private static func simplified(_ name: String) -> String {
    String(name.lowercased().filter { !$0.isWhitespace && $0 != "_" && $0 != "-" })
  }
}

extension LabelSet {
  /// ImageNet's classes as WordNet has them.
  static func synsets() throws -> [(number: String, names: [String])] {
    try String(contentsOf: try Resources.url("imagenet_synsets", "txt"), encoding: .utf8)
      .split(separator: "\n").map { line in
        let parts = line.split(separator: " ", maxSplits: 1)
        return (String(parts[0]), parts[1].components(separatedBy: ", "))
      }
  }
}
