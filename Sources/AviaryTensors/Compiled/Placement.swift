/// Which values lie inside the result of a concatenation from the start, so that concatenating them moves nothing.
///
/// With one picture and channels in blocks, the channels of a concatenation's operands lie one after another in memory. A kernel that makes an
/// operand can then write it to its final place. Concatenations of concatenations (DenseNet) end up in one stretch of memory.
struct Placement {
  /// A part of a larger value, from so many channels on.
  struct Home {
    let whole: Graph.Value
    let channel: Int
  }

  private let homes: [Graph.Value: Home]

  init(_ graph: Graph) {
    var homes: [Graph.Value: Home] = [:]
    for node in graph.nodes where Self.isSuitable(node, graph) {
      var channel = 0
      for input in node.inputs {
        if homes[input] == nil, graph.constants[input] == nil, !graph.inputs.contains(input) {
          homes[input] = Home(whole: node.outputs[0], channel: channel)
        }
        channel += graph.specs[input].shape[1]
      }
    }
    self.homes = homes
  }

  /// Full blocks of channels of one picture.
  static func isSuitable(_ node: Graph.Node, _ graph: Graph) -> Bool {
    guard let concatenation = node.operation as? Concatenate, concatenation.axis == 1 else { return false }
    return node.inputs.allSatisfy { input in
      let spec = graph.specs[input]
      return spec.dtype == .float32 && spec.shape.count == 4 && spec.shape[0] == 1
        && spec.shape[1] % MemoryDescriptor.largestChannelBlock == 0
    }
  }

  /// The outermost value that `value` is a part of, and where; itself when it is none.
  func outermost(_ value: Graph.Value) -> Home {
    var home = Home(whole: value, channel: 0)
    while let next = homes[home.whole] {
      home = Home(whole: next.whole, channel: home.channel + next.channel)
    }
    return home
  }

  func isPart(_ value: Graph.Value) -> Bool { homes[value] != nil }
}

extension Planner {
  /// Where a value lies in the concatenation it is for, when it has the layout for that.
  mutating func place(_ value: Graph.Value, _ layout: MemoryDescriptor) -> Int? {
    guard placement.isPart(value), let block = layout.channelBlock,
      layout == .blockedChannels(graph.specs[value].shape, block: block)
    else { return nil }
    return part(value, block: block)
  }

  /// The concatenation's memory with those operands that do not lie in it already copied there.
  mutating func lowerInPlace(_ node: Graph.Node) {
    let blocks = node.inputs.lazy.compactMap { [self] input in
      planned[input].flatMap { plan.values[$0].descriptor.channelBlock }
    }
    guard let block = wholes[placement.outermost(node.outputs[0]).whole]?.block ?? blocks.first,
      let result = part(node.outputs[0], block: block)
    else { return lowerByCopying(node) }
    var channel = 0
    for input in node.inputs {
      let shape = graph.specs[input].shape
      defer { channel += shape[1] }
      let held = value(input)
      let layout = MemoryDescriptor.blockedChannels(shape, block: block)
      let place = plan.addAlias(
        of: result, graph.specs[input], layout, offset: channel * shape[2] * shape[3] * Self.floatSize)
      if plan.isSamePlace(held, place), plan.values[held].descriptor == layout { continue }
      plan.append(
        Primitive.reorder(from: plan.values[held].descriptor, to: layout),
        [(Primitive.Slot.source, held), (Primitive.Slot.destination, place)], name: "copy")
    }
    planned[node.outputs[0]] = result
  }

  private static let floatSize = MemoryLayout<Float>.size

  private mutating func part(_ value: Graph.Value, block: Int) -> Int? {
    let home = placement.outermost(value)
    let whole: Int
    if let known = wholes[home.whole] {
      guard known.block == block else { return nil }
      whole = known.value
    } else {
      let spec = graph.specs[home.whole]
      whole = plan.addValue(spec, .blockedChannels(spec.shape, block: block))
      wholes[home.whole] = (whole, block)
    }
    let spec = graph.specs[value]
    return plan.addAlias(
      of: whole, spec, .blockedChannels(spec.shape, block: block),
      offset: home.channel * spec.shape[2] * spec.shape[3] * Self.floatSize)
  }
}
