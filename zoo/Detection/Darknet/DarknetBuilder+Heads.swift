import AviaryLayers

// What stands at the ends of a network for objects.

extension DarknetBuilder {
  func head(_ section: DarknetSection) throws(ConfigurationError) -> any DarknetLayer {
    let classes = try section.integer("classes", missing: section.kind == "detection" ? 1 : 20)
    let count = try section.integer("num", 1...1024, missing: 1)
    let picture = (width: input.width, height: input.height)
    if section.kind == "detection" {
      let side = try section.integer("side", 1...1024, missing: 7)
      guard try section.integer("coords", missing: 1) == 4,
        previous.count == side * side * (classes + count * 5)
      else {
        throw section.error(
          given: "behind \(previous.count) numbers",
          expected: "\(side)·\(side)·(\(classes) + \(count)·5) numbers, and coords=4")
      }
      let kind = DarknetHead.Kind.grid(
        side: side, squaresSides: try section.flag("sqrt"), usesSoftmax: try section.flag("softmax"))
      return DarknetHead(
        kind, classes: classes, boxes: count, anchors: [], picture: picture, .iou,
        try DarknetLearning(section), previous, source: previousNumber)
    }
    let given = try section.numbers("anchors")
    guard given.count == 2 * count else {
      throw section.error(
        "anchors", given: "\(given.count) numbers", expected: "two for each of num=\(count)")
    }
    var (kind, mask) = (
      DarknetHead.Kind.region(usesSoftmax: try section.flag("softmax")), Array(0..<count)
    )
    if section.kind == "region" {
      if section.has("tree") {
        throw section.error("tree", given: "there", expected: "no such option: it is not supported")
      }
      try section.refuse("background")
      guard try section.integer("coords", missing: 4) == 4 else {
        throw section.error("coords", given: "others", expected: "4")
      }
    } else {
      mask = try section.integers("mask", missing: mask)
      guard mask.allSatisfy({ 0..<count ~= $0 }) else {
        throw section.error("mask", given: "\(mask)", expected: "numbers from 0 to \(count - 1)")
      }
      kind = .yolo(
        scaleXY: try section.number("scale_x_y", missing: 1),
        newCoordinates: try section.flag("new_coords"))
    }
    guard previous.channels == mask.count * (5 + classes) else {
      throw section.error(
        given: "behind \(previous.channels) channels",
        expected: "\(mask.count * (5 + classes)): \(mask.count) boxes of 5 numbers and \(classes) classes")
    }
    let beta = try section.number("beta_nms", missing: 0.6)
    let suppression = try section.choice(
      "nms_kind",
      [
        "default": DarknetHead.Suppression.iou, "greedynms": .distance(beta: 0.6),
        "diounms": .distance(beta: beta),
      ], missing: "default")
    return DarknetHead(
      kind, classes: classes, boxes: mask.count,
      anchors: mask.flatMap { [given[2 * $0], given[2 * $0 + 1]] },
      picture: picture, fork == .alexeyab ? suppression : .iou,
      try DarknetLearning(section, anchors: given, mask: mask), previous, source: previousNumber)
  }

  /// All heads tell the same classes apart, so that their boxes fit one list.
  func checkHeads(_ sections: [DarknetSection]) throws(ConfigurationError) {
    var known: Int?
    for (layer, section) in zip(layers, sections.dropFirst()) {
      guard let head = layer as? DarknetHead else { continue }
      guard head.classes == known ?? head.classes else {
        throw section.error("classes", given: "\(head.classes)", expected: "\(known!) as before")
      }
      known = head.classes
    }
  }
}
