import AviaryTensors
import Foundation

/// The two tables of vectors that are learned, and what is drawn from.
struct Word2VecState {
  /// V·D: what becomes the words' vectors; `syn0` of the program.
  private(set) var input: [Float]
  /// V·D: the vectors of words that are guessed; `syn1neg` of the program.
  private(set) var output: [Float]
  private let options: Word2Vec
  /// How likely an occurrence of each word is kept.
  private let kept: [Float]
  /// Running sums of the counts to the power of 0.75.
  private let noise: [Double]

  init(_ vocabulary: WordCounts, _ options: Word2Vec, _ generator: RandomGenerator) {
    self.options = options
    let count = vocabulary.words.count
    input = (0..<count * options.width).map { _ in
      (generator.uniform() - 0.5) / Float(options.width)
    }
    output = Array(repeating: 0, count: count * options.width)
    kept = vocabulary.counts.map { Self.kept($0, of: vocabulary.total, sample: options.sample) }
    var sums: [Double] = []
    for count in vocabulary.counts { sums.append((sums.last ?? 0) + pow(Double(count), 0.75)) }
    noise = sums
  }

  /// For vectors that are known, with words as likely as each other.
  init(input: [Float], output: [Float], _ options: Word2Vec) {
    (self.input, self.output, self.options) = (input, output, options)
    let count = input.count / options.width
    kept = Array(repeating: 1, count: count)
    noise = (1...count).map(Double.init)
  }

  /// How likely an occurrence is kept of a word with a count f of N: (√(f / tN) + 1) · tN / f, which the program has in the place of the paper's
  /// 1 − √(t / f).
  static func kept(_ count: Int, of total: Int, sample: Double) -> Float {
    guard sample > 0 else { return 1 }
    let threshold = sample * Double(total)
    return Float(((Double(count) / threshold).squareRoot() + 1) * threshold / Double(count))
  }

  /// One sentence of word numbers.
  mutating func learn(_ words: [Int], rate: Float, _ generator: RandomGenerator) {
    let sentence = words.filter { kept[$0] >= 1 || generator.uniform() < kept[$0] }
    for place in sentence.indices {
      // From 1 to the whole window.
      let reach = options.window - generator.integer(in: 0..<options.window)
      let range = max(place - reach, 0)...min(place + reach, sentence.count - 1)
      let around = range.filter { $0 != place }.map { sentence[$0] }
      if around.isEmpty { continue }
      switch options.architecture {
      case .cbow: learn(sentence[place], from: around, rate: rate, generator)
      case .skipGram:
        for word in around { learn(sentence[place], from: [word], rate: rate, generator) }
      }
    }
  }

  /// Guesses a word from the mean of the vectors of others, against words that are drawn.
  private mutating func learn(_ word: Int, from words: [Int], rate: Float, _ generator: RandomGenerator) {
    var targets = [(word, Float(1))]
    for _ in 0..<options.negatives {
      let drawn = drawNoise(generator)
      // One that is the right word teaches nothing, and is left out.
      if drawn != word { targets.append((drawn, 0)) }
    }
    step(targets, from: words, rate: rate)
  }

  /// One step up the gradient of Σ log σ(±v·h) with h the mean of the words' vectors and v those of the targets, whose labels are 1 or 0. The program
  /// gives each of the words the whole gradient of their mean, not a share of it.
  mutating func step(_ targets: [(word: Int, label: Float)], from words: [Int], rate: Float) {
    let width = options.width
    var hidden = [Float](repeating: 0, count: width)
    for word in words { for index in 0..<width { hidden[index] += input[word * width + index] } }
    if words.count > 1 { for index in 0..<width { hidden[index] /= Float(words.count) } }
    var error = [Float](repeating: 0, count: width)
    output.withUnsafeMutableBufferPointer { output in
      for (target, label) in targets {
        let start = target * width
        var product: Float = 0
        for index in 0..<width { product += hidden[index] * output[start + index] }
        let gradient = (label - SigmoidTable.value(product)) * rate
        for index in 0..<width {
          error[index] += gradient * output[start + index]
          output[start + index] += gradient * hidden[index]
        }
      }
    }
    for word in words { for index in 0..<width { input[word * width + index] += error[index] } }
  }

  /// The first word whose running sum is above a draw.
  private func drawNoise(_ generator: RandomGenerator) -> Int {
    let most = Int(UInt32.max)
    let draw = Double(generator.integer(in: 0..<most)) / Double(most) * noise[noise.count - 1]
    var (low, high) = (0, noise.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if noise[middle] > draw { high = middle } else { low = middle + 1 }
    }
    return low
  }
}

/// The program's σ: 1000 values between −6 and 6, beyond which it is 0 or 1.
enum SigmoidTable {
  private static let (size, bound): (Int, Float) = (1000, 6)
  /// 1000/6/2 in whole numbers, as the program has it, not 83⅓.
  private static let placesPerUnit: Float = 83
  private static let values: [Float] = (0..<size).map { place in
    let power = exp((Float(place) / Float(size) * 2 - 1) * bound)
    return power / (power + 1)
  }

  static func value(_ x: Float) -> Float {
    if x >= bound { return 1 }
    // What is not a number must not be a place.
    guard x > -bound else { return x.isNaN ? x : 0 }
    return values[Int((x + bound) * placesPerUnit)]
  }
}
