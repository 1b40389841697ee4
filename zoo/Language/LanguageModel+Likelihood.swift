import AviaryLayers
import AviaryTensors
import Foundation

extension LanguageModel {
  /// How likely a text is.
  public struct Likelihood: Sendable, Hashable {
    /// −log p of a token given all before it, in nats, on average.
    public let nats: Float
    /// The share of tokens that were the likeliest.
    public let accuracy: Float
    /// Tokens that were predicted: all but the first.
    public let count: Int
    /// Bytes of these in UTF-8.
    public let byteCount: Int

    /// e to the nats per token: among so many tokens that are equally likely, the choice would be as hard.
    public var perplexity: Float { exp(nats) }
    /// −log₂ p per byte of the text, which does not depend on what tokens are.
    public var bitsPerByte: Float { nats / log(2) * Float(count) / Float(byteCount) }
  }

  /// How likely the model finds a text after its first token.
  ///
  /// Where a network can look at so many tokens only, a longer text is read in windows of as many, each beginning `stride` tokens after the one
  /// before: a token is predicted once, from at least as many as a window has beyond the stride.
  /// - Parameters:
  ///   - stride: from 1 to the number of tokens in a window; half of it where nil.
  ///   - progress: gets the tokens predicted, and all.
  /// - Throws: ``UnknownCharacters``, ``EmptyText`` for a text of less than two tokens, ``NoNumbers``, what `progress` throws.
  public func negativeLogLikelihood(
    of text: String, stride: Int? = nil, progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> Likelihood {
    let read = try tokenizer.encode(text)
    let count = read.count - 1
    guard count > 0 else {
      throw EmptyText(what: "a text whose likelihood is asked for has", least: 2, unit: tokenizer.unit)
    }
    let window = contextLength ?? count
    let stride = stride ?? max(window / 2, 1)
    require(1...window ~= stride, "windows of \(window) tokens, \(stride) apart")
    var (nats, right, done, start) = (Double(0), 0, 0, 0)
    while done < count {
      let end = min(start + window, count)
      var reading = reader.begin()
      try reading.read(Array(read[start..<end])) { logits, range in
        // What a window has in common with the one before was predicted there.
        let fresh = max(done, start + range.lowerBound)..<start + range.upperBound
        if fresh.isEmpty { return }
        let rows = logits.sliced(0, fresh.lowerBound - start - range.lowerBound..<range.count)
        let targets = read[(fresh.lowerBound + 1)...fresh.upperBound].map { Int64($0) }
        let places = Tensor(targets, shape: [targets.count, 1])
        nats -= Double(rows.logSoftmax().gathered(1, places).sum().item())
        right += zip(rows.argMax().values(of: Int64.self), targets).count { $0 == $1 }
        done = fresh.upperBound
        try progress(done, count)
      }
      start += stride
    }
    return Likelihood(
      nats: Float(nats / Double(count)), accuracy: Float(right) / Float(count), count: count,
      byteCount: read.dropFirst().reduce(0) { $0 + tokenizer.bytes(of: $1).count })
  }
}
