/// A recorded operation: what it was, what its gradient needs, and where its inputs came from.
final class Node: Sendable {
  /// nil for a leaf: something a gradient is taken of.
  let operation: (any Operation)?
  let parents: [Parent?]
  let inputSpecs: [TensorSpec]
  let outputSpecs: [TensorSpec]
  let keptInputs: [Tensor?]
  let keptOutputs: [Tensor?]
  let saved: [Tensor]
  /// Longer than any path to a leaf: processing by falling depth visits every consumer before its producer.
  let depth: Int
  /// For the second and later results of an operation: the operation's own node, and which result this is.
  private let owner: (node: Node, output: Int)?

  struct Parent: Sendable {
    let node: Node
    let output: Int
  }

  /// A leaf.
  init() {
    operation = nil
    parents = []
    inputSpecs = []
    outputSpecs = []
    keptInputs = []
    keptOutputs = []
    saved = []
    depth = 0
    owner = nil
  }

  init(_ operation: some Operation, inputs: [Tensor], outputs: [Tensor], saved: [Tensor]) {
    self.operation = operation
    parents = inputs.map { $0.node?.asParent }
    inputSpecs = inputs.map(\.spec)
    outputSpecs = outputs.map(\.spec)
    let keeps = operation.keeps
    keptInputs = keeps.contains(.inputs) ? inputs.map(\.detached) : []
    keptOutputs = keeps.contains(.outputs) ? outputs.map(\.detached) : []
    self.saved = saved
    depth = 1 + (parents.compactMap { $0?.node.depth }.max() ?? 0)
    owner = nil
  }

  private init(output index: Int, of node: Node) {
    operation = nil
    parents = []
    inputSpecs = []
    outputSpecs = []
    keptInputs = []
    keptOutputs = []
    saved = []
    depth = node.depth
    owner = (node, index)
  }

  /// What a tensor that is the `index`-th result holds.
  func output(_ index: Int) -> Node { Node(output: index, of: self) }

  var asParent: Parent {
    if let owner { return Parent(node: owner.node, output: owner.output) }
    return Parent(node: self, output: 0)
  }
}
