/// The value of `body` at `inputs`, and its gradient with respect to each of them.
///
/// `body` must return one element that is computed from floating-point values. An input that the result does not
/// depend on has a gradient of zeros.
public func valueAndGradients(
  at inputs: [Tensor], of body: ([Tensor]) throws -> Tensor
) rethrows -> (value: Tensor, gradients: [Tensor]) {
  let leaves = inputs.map { _ in Leaf() }
  let value = try withRecording { try body(zip(inputs, leaves).map { $0.tracked(as: $1) }) }
  let gradients = backward(from: value, to: leaves)
  return (
    value.detached, zip(gradients, inputs).map { gradient, input in gradient ?? .zeros(input.shape) }
  )
}

/// The gradient of `body` at `input`.
public func gradient(at input: Tensor, of body: (Tensor) throws -> Tensor) rethrows -> Tensor {
  try valueAndGradients(at: [input]) { try body($0[0]) }.gradients[0]
}

/// Something a gradient is taken of. A tensor tracked as a leaf, and everything computed from it, leads back to it.
public struct Leaf: Sendable {
  let node = Node()
  /// A leaf unlike any other, to track tensors as.
  public init() {}
}

extension Tensor {
  /// The same values, tracked: gradients of what is computed from the result arrive at `leaf`.
  public func tracked(as leaf: Leaf) -> Tensor {
    require(dtype.isFloatingPoint, "a gradient with respect to \(dtype) values was asked for")
    return with(node: leaf.node)
  }
}

/// The gradients of one element, `value`, at `leaves`; nil where it does not depend on one. The recording is consumed on the way:
/// what a step kept is released as soon as its gradient is known.
public func backward(from value: consuming Tensor, to leaves: [Leaf]) -> [Tensor?] {
  require(value.count == 1, "a gradient needs one element, the value has shape \(value.shape.shapeText)")
  let seed = Tensor.ones(value.shape)
  return backward(from: value, seed: seed, to: leaves)
}

/// As ``backward(from:to:)``, with the gradient of the loss with respect to `value` given.
public func backward(from value: consuming Tensor, seed: Tensor, to leaves: [Leaf]) -> [Tensor?] {
  backward(from: [value], seeds: [seed], to: leaves)
}

/// The gradients at `leaves` of several values together, each with the gradient of the loss with respect to it (of its shape): one pass over
/// what they share.
public func backward(from values: consuming [Tensor], seeds: [Tensor], to leaves: [Leaf]) -> [Tensor?] {
  require(
    values.map(\.shape) == seeds.map(\.shape),
    "values of \(values.map(\.shape.shapeText)) with gradients of \(seeds.map(\.shape.shapeText))")
  var engine = BackwardPass(leaves: leaves)
  let roots = values.map { $0.node?.asParent }
  // The recording is released while it is walked.
  values = []
  return withoutRecording {
    for (root, seed) in zip(roots, seeds) { if let root { engine.accumulate(seed, at: root) } }
    engine.run()
    return engine.results
  }
}

/// Walks a recording from results to leaves. This is the only place where gradients are added up.
struct BackwardPass {
  private struct Pending {
    let node: Node
    var gradients: [Tensor?]
  }

  private var pending: [ObjectIdentifier: Pending] = [:]
  private var queue = DepthQueue()
  private var leafGradients: [ObjectIdentifier: Tensor?] = [:]
  private let leaves: [Leaf]

  init(leaves: [Leaf]) {
    self.leaves = leaves
    for leaf in leaves { leafGradients[ObjectIdentifier(leaf.node)] = .some(nil) }
  }

  var results: [Tensor?] { leaves.map { leafGradients[ObjectIdentifier($0.node)] ?? nil } }

  /// Adds `gradient` to what has arrived at one result of a node.
  mutating func accumulate(_ gradient: Tensor, at parent: Node.Parent) {
    let node = parent.node
    let key = ObjectIdentifier(node)
    if node.operation == nil {
      guard var sum = leafGradients.removeValue(forKey: key) else { return }
      sum.add(gradient)
      leafGradients[key] = .some(sum)
      return
    }
    if pending[key] == nil {
      pending[key] = Pending(node: node, gradients: .init(repeating: nil, count: node.outputSpecs.count))
      queue.insert(node)
    }
    var sum = pending[key]!.gradients[parent.output]
    // Only now is the sum held by nobody else, and may be changed in place.
    pending[key]!.gradients[parent.output] = nil
    sum.add(gradient)
    pending[key]!.gradients[parent.output] = sum
  }

  mutating func run() {
    while let node = queue.popDeepest() {
      let gradients = pending.removeValue(forKey: ObjectIdentifier(node))!.gradients
      let context = GradientContext(node: node, outputGradients: gradients)
      if let replay = node.operation as? any ReplayedOperation {
        replay.replay(context, into: &self)
        continue
      }
      for (parent, gradient) in zip(node.parents, node.operation!.gradient(context)) {
        if let parent, let gradient { accumulate(gradient, at: parent) }
      }
    }
  }
}

extension Tensor? {
  /// Adds a tensor of the same shape, in the sum's own memory when nobody else holds it.
  fileprivate mutating func add(_ other: Tensor) {
    guard self != nil else {
      self = other
      return
    }
    guard self!.dtype == .float32, self!.isDense, isKnownUniquelyReferenced(&self!.storage),
      self!.storage.isWritable
    else {
      self = self! + other
      return
    }
    BroadcastLoop.accumulate(other.reordered(to: self!.descriptor), into: self!)
  }
}

/// An operation whose gradient is found by recording it again and walking that recording.
protocol ReplayedOperation: Operation {
  func replay(_ context: GradientContext, into pass: inout BackwardPass)
}

/// Nodes by depth, deepest first.
private struct DepthQueue {
  private var heap: [Node] = []

  mutating func insert(_ node: Node) {
    heap.append(node)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].depth >= heap[child].depth { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  mutating func popDeepest() -> Node? {
    guard let top = heap.first else { return nil }
    let last = heap.removeLast()
    if heap.isEmpty { return top }
    heap[0] = last
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].depth > heap[largest].depth { largest = child }
      }
      if largest == parent { return top }
      heap.swapAt(parent, largest)
      parent = largest
    }
  }
}
