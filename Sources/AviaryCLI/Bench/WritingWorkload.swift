import Aviary

extension Workload {
  /// A text: some tokens are read, and more are written, always the likeliest. An iteration returns a number that tells one text from another.
  ///
  /// - Parameter count: how many are written.
  static func writing(_ loaded: LoadedNetwork, count: Int, execution: Execution) throws -> Workload {
    guard let port = loaded.network.signature.inputs.first, let size = port.bound else {
      throw UsageError("\(loaded.name) writes no text")
    }
    // What tokens mean has no part in it.
    let prompt = (0..<promptLength).map { "\($0 * 131 % size)" }.joined(separator: " ")
    let summary = Summary(
      of: loaded.network, inputs: [port.name: Tensor(repeating: Int64(0), shape: [1, 1])])
    nonisolated(unsafe) let network = loaded.network
    let model = try LanguageModel(network, tokenizer: NumberedTokens(count: size), execution: execution)
    return Workload(batch: 1, multiplyAdds: summary.multiplyAdds * (promptLength + count), unit: "texts") {
      guard let text = try? model.write(prompt, length: count, choosing: .greedy) else { return .nan }
      let tokens = text.split(separator: " ").compactMap { Int($0) }
      return Float(tokens.enumerated().reduce(0) { ($0 + ($1.offset + 1) * $1.element) % 1_000_003 })
    }
  }

  private static let promptLength = 64
}

/// Tokens that are written as their numbers.
private struct NumberedTokens: Tokenizer {
  let count: Int
  let endOfText: Int? = nil
  let unit = "tokens"

  func encode(_ text: String) -> [Int] { text.split(separator: " ").compactMap { Int($0) } }
  func bytes(of token: Int) -> [UInt8] { Array("\(token) ".utf8) }
  var portable: (labels: [String], settings: Settings) { ([], [:]) }
}
