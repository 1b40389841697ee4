/// What a pass over examples came to.
public struct Evaluation: Sendable, Hashable {
  /// The mean loss over the examples.
  public var loss: Float
  /// Examples.
  public var count: Int
  /// Other means over the examples, by name: `accuracy`.
  public var metrics: [String: Float]

  /// Means over `count` examples.
  public init(loss: Float, count: Int, metrics: [String: Float] = [:]) {
    self.loss = loss
    self.count = count
    self.metrics = metrics
  }

  /// The share of examples whose largest logit is the label's; NaN where that was not asked.
  public var accuracy: Float { metrics[Self.accuracy] ?? .nan }

  static let accuracy = "accuracy"

  /// Nothing yet.
  static let none = Evaluation(loss: 0, count: 0)

  /// Of these examples and others together.
  func joined(with other: Evaluation) -> Evaluation {
    let total = count + other.count
    guard total > 0 else { return self }
    func mean(_ a: Float, _ b: Float) -> Float { (a * Float(count) + b * Float(other.count)) / Float(total) }
    let names = count == 0 ? Set(other.metrics.keys) : Set(metrics.keys)
    return Evaluation(
      loss: mean(loss, other.loss), count: total,
      metrics: Dictionary(
        uniqueKeysWithValues: names.map { ($0, mean(metrics[$0] ?? 0, other.metrics[$0] ?? 0)) }))
  }
}

/// Metrics stand beside loss and count under their own names.
extension Evaluation: Codable {
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
    static let loss = Name(stringValue: "loss")
    static let count = Name(stringValue: "count")
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: Name.self)
    try container.encode(loss, forKey: .loss)
    try container.encode(count, forKey: .count)
    for (name, value) in metrics { try container.encode(value, forKey: Name(stringValue: name)) }
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    loss = try container.decode(Float.self, forKey: .loss)
    count = try container.decode(Int.self, forKey: .count)
    metrics = [:]
    for key in container.allKeys where !["loss", "count"].contains(key.stringValue) {
      metrics[key.stringValue] = try container.decode(Float.self, forKey: key)
    }
  }
}
