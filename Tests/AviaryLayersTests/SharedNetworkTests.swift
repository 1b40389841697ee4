import AviaryLayers
import AviaryTensors
import Foundation
import Synchronization
import TestSupport
import Testing

/// A picture to a code, and that to a picture; the code may be moved.
private final class Coder: Network {
  let encoder = Conv2d(3, 32, kernel: 3, padding: 1)
  let norm = BatchNorm(32)
  let decoder = Conv2d(32, 3, kernel: 3, padding: 1)

  let signature = Signature(
    inputs: [Port("picture", ["N", 3, "H", "W"]), Port("shift", [1, 32, 1, 1], isOptional: true)],
    outputs: [Port("code", ["N", 32, "H", "W"]), Port("result", ["N", 3, "H", "W"])])

  func defaults(for inputs: NamedTensors) -> NamedTensors { ["shift": .zeros([1, 32, 1, 1])] }

  func encode(_ picture: Tensor) -> Tensor { norm(encoder(picture)).relu() }
  func decode(_ code: Tensor) -> Tensor { decoder(code).sigmoid() }

  func callAsFunction(_ inputs: NamedTensors) -> NamedTensors {
    let code = encode(inputs["picture"]) + inputs["shift"]
    return ["code": code, "result": decode(code)]
  }

  /// The same weights every time.
  static func made() -> Coder { withRandomSeed(3) { Coder() } }
  static func madeAsAny() -> any Network { made() }
}

private final class Counter: Sendable {
  let count = Atomic<Int>(0)
}

/// What a server has: as many calls at a time as there are copies, and the others wait.
private actor Pool {
  private var idle: [SharedNetwork]
  private var waiting: [CheckedContinuation<SharedNetwork, Never>] = []

  init(_ network: SharedNetwork, count: Int) { idle = (0..<count).map { _ in network.copy() } }

  func run(_ inputs: NamedTensors) async -> NamedTensors {
    let network = await take()
    let outputs = await Self.run(network, inputs)
    giveBack(network)
    return outputs
  }

  /// Not on the actor, which others ask meanwhile.
  private static func run(_ network: SharedNetwork, _ inputs: NamedTensors) async -> NamedTensors {
    network(inputs)
  }

  private func take() async -> SharedNetwork {
    if let network = idle.popLast() { return network }
    return await withCheckedContinuation { waiting.append($0) }
  }

  private func giveBack(_ network: SharedNetwork) {
    if waiting.isEmpty { idle.append(network) } else { waiting.removeFirst().resume(returning: network) }
  }
}

@Suite("Networks that threads share")
struct SharedNetworkTests {
  /// Pictures of three shapes.
  private static func inputs(_ seed: Int) -> NamedTensors {
    ["picture": sample([1 + seed % 2, 3, 12, 12 + 4 * (seed % 3)], seed: UInt64(seed + 1))]
  }

  private static func values(_ tensors: NamedTensors) -> [[Float]] { tensors.tensors.map { $0.values() } }

  private static func expectEqual(_ found: NamedTensors, _ expected: NamedTensors) {
    #expect(found.names == expected.names)
    for name in found.names { #expect(relativeDifference(found[name], expected[name]) < 1e-5) }
  }

  @Test(
    "a network that was handed over computes what it computed, however it is run",
    arguments: [.compiled(), .compiled(algorithms: .once), .exact, .eager(), .eager(isExact: true)]
      as [Execution])
  func handedOver(execution: Execution) {
    let coder = Coder.made()
    let networks = [
      SharedNetwork(Coder.made(), execution: execution),
      SharedNetwork(Coder.madeAsAny(), execution: execution),
    ]
    for network in networks + networks.map({ $0.copy() }) {
      #expect(network.inputs == ["picture", "shift"] && network.outputs == ["code", "result"])
      for seed in 0..<4 {
        let inputs = Self.inputs(seed)
        Self.expectEqual(network(inputs), coder(coder.completed(inputs)))
        var shifted = inputs
        shifted["shift"] = sample([1, 32, 1, 1])
        Self.expectEqual(network(shifted), coder(shifted))
      }
    }
  }

  @Test("a layer is a network of one input and one output")
  func layer() {
    func made() -> any Layer { withRandomSeed(5) { Sequential([Linear(8, 16), Linear(16, 4)]) } }
    let network = SharedNetwork(layer: made(), output: "logits")
    let x = sample([3, 8])
    let same = made()
    #expect(relativeDifference(network(x), same(x)) < 1e-5)
    #expect(network(["input": x]).names == ["logits"])
  }

  @Test("calls at the same time, of several shapes, give what calls one by one give", arguments: [1, 4])
  func concurrent(copies count: Int) async {
    let network = SharedNetwork(Coder.made())
    let expected = (0..<12).map { Self.values(network(Self.inputs($0))) }
    let networks = [network] + (1..<count).map { _ in network.copy() }
    await withTaskGroup { group in
      for call in 0..<96 {
        group.addTask { Self.values(networks[call % count](Self.inputs(call % 12))) == expected[call % 12] }
      }
      for await isEqual in group { #expect(isEqual) }
    }
    let wrong = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for call in 0..<24 {
        let found = Self.values(networks[thread % count](Self.inputs(call % 12)))
        if found != expected[call % 12] { wrong.add(1, ordering: .relaxed) }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
  }

  @Test("threads that come at once with shapes that nobody had compile each once")
  func compiledOnce() {
    let compilations = Counter()
    let network = SharedNetwork(Coder.made()).piece(inputs: ["picture"], outputs: ["code"]) {
      (coder: Coder, tensors) in
      compilations.count.add(1, ordering: .relaxed)
      return ["code": coder.encode(tensors["picture"])]
    }
    let networks = (0..<4).map { _ in network.copy() }
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for seed in 0..<3 { _ = networks[thread % 4](Self.inputs(seed)) }
    }
    #expect(compilations.count.load(ordering: .relaxed) == 3)
    withExtendedLifetime(networks) { _ = network(Self.inputs(0)) }
    #expect(compilations.count.load(ordering: .relaxed) == 3)
  }

  @Test("a server's pool of copies")
  func pool() async {
    let network = SharedNetwork(Coder.made())
    let expected = (0..<12).map { Self.values(network(Self.inputs($0))) }
    let pool = Pool(network, count: 3)
    await withTaskGroup { group in
      for call in 0..<60 {
        group.addTask { Self.values(await pool.run(Self.inputs(call % 12))) == expected[call % 12] }
      }
      for await isEqual in group { #expect(isEqual) }
    }
  }

  @Test("parts of a network with plain Swift between them")
  func pieces() {
    let coder = Coder.made()
    for execution in [Execution.compiled(), .eager()] {
      let network = SharedNetwork(Coder.made(), execution: execution)
      let encoder = network.piece(inputs: ["picture"], outputs: ["code"]) { (coder: Coder, tensors) in
        ["code": coder.encode(tensors["picture"])]
      }
      let decoder = network.piece(inputs: ["code"], outputs: ["result"]) { (coder: Coder, tensors) in
        ["result": coder.decode(tensors["code"])]
      }
      let picture = sample([1, 3, 16, 16])
      var (code, expected) = (encoder(picture), coder.encode(picture))
      for _ in 0..<3 {
        #expect(relativeDifference(code, expected) < 1e-5)
        let (result, wanted) = (decoder(code), coder.decode(expected))
        #expect(relativeDifference(result, wanted) < 1e-5)
        (code, expected) = (encoder(result), coder.encode(wanted))
      }
      let whole = network.piece(inputs: ["picture", "shift"], outputs: ["result"]) {
        (network: any Network, tensors) in network(tensors)
      }
      let inputs: NamedTensors = ["picture": picture, "shift": sample([1, 32, 1, 1])]
      #expect(whole(inputs).names == ["result"])
      #expect(relativeDifference(whole(inputs)["result"], coder(inputs)["result"]) < 1e-5)
    }
  }

  @Test("copies share weights, packed ones too")
  func memory() {
    func made() -> any Layer { withRandomSeed(5) { Conv2d(512, 512, kernel: 3, padding: 1) } }
    let network = SharedNetwork(layer: made(), execution: .exact)
    let x = sample([1, 512, 6, 6])
    let expected = network(x).values()
    let copies = (0..<4).map { _ in network.copy() }
    for copy in copies {
      let before = CachingAllocator.statistics.inUse
      #expect(copy(x).values() == expected)
      let growth = CachingAllocator.statistics.inUse - before
      let arena = copy.graph(for: [x.spec]).arenaByteCount
      #expect(growth >= arena && growth < arena + 1 << 16)
      #expect(growth < 512 * 512 * 9)
    }
  }

  @Test("plans are kept for the shapes used last, and as long as a copy has them")
  func kept() throws {
    struct Weak { weak var graph: CompiledGraph? }
    let compilations = Counter()
    let network = SharedNetwork(Coder.made()).piece(inputs: ["picture", "shift"], outputs: ["result"]) {
      (coder: Coder, tensors) in
      compilations.count.add(1, ordering: .relaxed)
      return coder(tensors)
    }
    func graph(_ side: Int) -> CompiledGraph {
      network.graph(for: [TensorSpec([1, 3, side, side]), TensorSpec([1, 32, 1, 1])])
    }
    let first = ObjectIdentifier(graph(8))
    for side in [9, 10, 8, 11] { _ = graph(side) }
    #expect(ObjectIdentifier(graph(8)) == first)
    let evicted = Weak(graph: graph(8))
    let copy = network.copy()
    _ = copy.graph(for: try #require(evicted.graph).inputs)
    for side in [13, 14, 15, 16] { _ = graph(side) }
    #expect(evicted.graph == nil)
    withExtendedLifetime(copy) { _ = graph(8) }
    #expect(compilations.count.load(ordering: .relaxed) == 8)
  }

  @Test("the network itself, for whoever needs it")
  func network() throws {
    let network = SharedNetwork(Coder.made())
    let count = network.withNetwork { (coder: Coder) in coder.parameterCount }
    #expect(count == Coder.made().parameterCount)
    #expect(network.copy().withNetwork { (any: any Network) in any.signature.inputs.count } == 2)
    struct Refusal: Error {}
    #expect(throws: Refusal.self) { try network.withNetwork { (_: any Module) in throw Refusal() } }
  }
}
