import AviaryTensors
import TestSupport
import Testing

@testable import AviaryLayers

/// A block with everything a walk must find, and a few things it must pass over.
private final class Block: Layer {
  let conv1: Conv2d
  let batchNorm1 = BatchNorm(4)
  let shortcut: Conv2d?
  let scale = Parameter([4], .ones)
  let branches: [Linear]
  let extra: Linear?
  let maybes: [Linear?]
  let note = "no module"
  let sizes = [1, 2, 3]
  private let hiddenWeight = Parameter([2], .zeros)

  init(hasShortcut: Bool) {
    conv1 = Conv2d(4, 4, kernel: 1, bias: false)
    shortcut = hasShortcut ? Conv2d(4, 4, kernel: 1, bias: false) : nil
    branches = [Linear(2, 2, bias: false), Linear(2, 2, bias: false)]
    extra = nil
    maybes = [Linear(1, 1, bias: false), nil, Linear(1, 1, bias: false)]
  }

  func callAsFunction(_ input: Tensor) -> Tensor { input }
}

private final class Network: Layer {
  let stem = Conv2d(3, 4, kernel: 3)
  let layer1 = Sequential(Block(hasShortcut: false), Block(hasShortcut: true))
  let positionTable = Buffer([3], .zeros, isPersistent: false)
  func callAsFunction(_ input: Tensor) -> Tensor { layer1(stem(input)) }
}

/// Two properties that are one module, and a class that inherits from another.
private class Base: Module { let first = Linear(2, 2, bias: false) }
private final class Derived: Base {
  let second: Linear
  let alias: Linear
  override init() {
    second = Linear(2, 2, bias: false)
    alias = second
  }
}

@Suite("Modules and parameters")
struct ModuleTests {
  @Test("names of nested modules, arrays, optionals and sequences, in the order of declaration")
  func names() {
    let network = Network()
    let block = [
      "conv1.weight", "batch_norm1.weight", "batch_norm1.bias", "scale", "branches.0.weight",
      "branches.1.weight", "maybes.0.weight", "maybes.2.weight", "hidden_weight",
    ]
    var second = block
    second.insert("shortcut.weight", at: 3)
    #expect(
      network.namedParameters.map(\.name)
        == ["stem.weight", "stem.bias"] + block.map { "layer1.0.\($0)" } + second.map { "layer1.1.\($0)" })
    #expect(
      network.namedBuffers.map(\.name) == [
        "layer1.0.batch_norm1.running_mean", "layer1.0.batch_norm1.running_var",
        "layer1.1.batch_norm1.running_mean", "layer1.1.batch_norm1.running_var", "position_table",
      ])
    // What can be worked out anew is no part of the saved state.
    #expect(!network.stateEntries.map(\.name).contains("position_table"))
    #expect(network.namedModules.map(\.name).prefix(4) == ["stem", "layer1", "layer1.0", "layer1.0.conv1"])
  }

  @Test("inherited properties come first; a module that is held twice counts once, under its first name")
  func sharing() {
    let model = Derived()
    #expect(model.namedParameters.map(\.name) == ["first.weight", "second.weight"])
    #expect(model.parameterCount == 8)
  }

  @Test("sequences name layers by place or as told, keep names in parts, and exchange layers")
  func sequences() {
    let model = Sequential(named: [("body", Linear(2, 3)), ("head", Linear(3, 1, bias: false))])
    #expect(model.namedParameters.map(\.name) == ["body.weight", "body.bias", "head.weight"])
    #expect(model[1..<2].namedParameters.map(\.name) == ["head.weight"])
    model[1] = Linear(3, 5)
    #expect(model(sample([1, 2])).shape == [1, 5])
    #expect(model.namedParameters.map(\.name).last == "head.bias")
  }

  @Test(
    "snake case",
    arguments: [
      ("weight", "weight"), ("runningMean", "running_mean"), ("conv1", "conv1"),
      ("inProjWeight", "in_proj_weight"),
      ("layerNorm1", "layer_norm1"), ("a", "a"), ("clsToken", "cls_token"),
    ])
  func snakeCase(camel: String, snake: String) { #expect(camel.snakeCased == snake) }

  @Test("train and evaluate reach every layer at any depth")
  func modes() {
    let network = Network()
    func modes() -> [Bool] {
      network.namedModules.compactMap { ($0.module as? any ModeDependent)?.isTraining }
    }
    #expect(modes() == [false, false])
    network.train()
    #expect(modes() == [true, true])
    network.evaluate()
    #expect(modes() == [false, false])
  }

  @Test("first values are never made when others are loaded, when shapes are traced or parameters counted")
  func lazy() {
    let bytes = 4 * 1024 * 1024
    let loaded = Tensor.zeros([1024, 1024])
    CachingAllocator.resetPeak()
    let start = CachingAllocator.statistics.inUse
    func grown() -> Int { CachingAllocator.statistics.peak - start }
    let model = Linear(1024, 1024)
    #expect(model.parameterCount == 1024 * 1024 + 1024)
    #expect(Summary(of: model, inputShape: [1, 1024]).outputShape == [1, 1024])
    #expect(model.stateEntries.map(\.shape) == [[1024, 1024], [1024]])
    model.weight.value = loaded
    #expect(model.weight.value.shape == [1024, 1024])
    #expect(grown() < bytes / 4)
    let fresh = Linear(1024, 1024)
    _ = fresh.weight.value
    #expect(grown() >= bytes)
  }

  @Test("first values do not depend on the order in which parameters are read")
  func order() {
    func make() -> [Parameter] { withRandomSeed(4) { Sequential(Linear(8, 8), Linear(8, 8)).parameters } }
    let (forward, backward) = (make(), make())
    let values = forward.map { $0.value.values() }
    #expect(Array(backward.reversed().map { $0.value.values() }.reversed()) == values)
    #expect(values[0] != values[2])
  }

  @Test("a parameter is tracked inside a gradient scope only, and not when frozen")
  func tracking() {
    let model = Sequential(Linear(2, 2), Linear(2, 2))
    model.freeze("0")
    let parameters = model.parameters
    #expect(parameters.allSatisfy { !$0.value.isTracked })
    let (_, gradients) = valueAndGradient(of: model) {
      #expect(parameters.map(\.value.isTracked) == [false, false, true, true])
      return model(sample([1, 2])).sum()
    }
    #expect(parameters.allSatisfy { !$0.value.isTracked })
    #expect(parameters.map { gradients[$0] != nil } == [false, false, true, true])
  }
}

@Suite("Initialisers")
struct InitializerTests {
  /// A kernel with fans 8·9 = 72 in and 64·9 = 576 out.
  private let shape = [64, 8, 3, 3]

  private func values(_ initializer: Initializer, _ shape: Shape) -> [Double] {
    initializer.makeTensor(shape, using: RandomGenerator(seed: 9)).values().map(Double.init)
  }

  @Test("variances and bounds are those of the papers")
  func moments() {
    let cases: [(name: String, initializer: Initializer, variance: Double, bound: Double)] = [
      ("Glorot uniform", .xavierUniform(), 2 / 648.0, (6 / 648.0).squareRoot()),
      ("Glorot normal", .xavierNormal(), 2 / 648.0, .infinity),
      ("He uniform", .kaimingUniform(), 2 / 72.0, (6 / 72.0).squareRoot()),
      ("He normal", .kaimingNormal(), 2 / 72.0, .infinity),
      ("He normal, fan out", .kaimingNormal(fan: .output), 2 / 576.0, .infinity),
      ("He uniform, gain 1", .kaimingUniform(gain: 1), 1 / 72.0, (3 / 72.0).squareRoot()),
      ("PyTorch's default", .torchDefault(fanIn: 72), 1 / 216.0, (1 / 72.0).squareRoot()),
      ("uniform", .uniform(-0.5..<0.5), 1 / 12.0, 0.5),
      ("normal", .normal(standardDeviation: 0.1), 0.01, .infinity),
      ("truncated normal", .truncatedNormal(standardDeviation: 0.1), 0.007737, 0.2),
    ]
    for test in cases {
      let values = values(test.initializer, shape)
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(variance / test.variance - 1) < 0.06, "\(test.name)")
      #expect(abs(mean) < 0.06 * test.variance.squareRoot(), "\(test.name)")
      #expect(values.allSatisfy { abs($0) <= test.bound * 1.000001 }, "\(test.name)")
    }
    #expect(values(.zeros, [3]) == [0, 0, 0])
    #expect(values(.ones, [2]) == [1, 1])
    #expect(values(.constant(0.25), [2]) == [0.25, 0.25])
  }

  @Test(
    "orthogonal rows, or columns where they are fewer",
    arguments: [[6, 20], [20, 6], [8, 8], [16, 4, 3, 3]])
  func orthogonal(shape: Shape) {
    let gain: Float = 1.5
    let matrix = Initializer.orthogonal(gain: gain).makeTensor(shape, using: RandomGenerator(seed: 1))
      .flattened(from: 1)
    let wide = matrix.shape[0] <= matrix.shape[1] ? matrix : matrix.transposed()
    let product = wide.matmul(wide.transposed())
    let count = product.shape[0]
    let identity = Tensor(
      (0..<count * count).map { $0 % (count + 1) == 0 ? gain * gain : 0 }, shape: [count, count])
    #expect(relativeDifference(product, identity) < 1e-5)
  }
}
