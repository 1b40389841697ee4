import AviaryTensors
import Foundation
import Testing

@testable import AviaryWeights

@Suite struct NameMapTests {
  @Test func patternsCaptureAndCount() throws {
    let theirs = try NamePattern("conv{s}_block{n}_{k}_conv/kernel")
    let numbers = try #require(theirs.match("conv4_block23_2_conv/kernel"))
    #expect(numbers == ["s": 4, "n": 23, "k": 2])
    let ours = try NamePattern("layer{s-1}.{n-1}.conv{k}.weight")
    #expect(ours.name(numbers) == "layer3.22.conv2.weight")
    #expect(ours.match("layer3.22.conv2.weight") == numbers)
    #expect(theirs.match("conv04_block23_2_conv/kernel") == nil)
    #expect(theirs.match("conv4_block_2_conv/kernel") == nil)
    #expect(ours.name(["s": 0, "n": 1, "k": 1]) == nil)
    #expect(try NamePattern("a{n}b{n}").match("a1b2") == nil)
    for bad in ["a{n", "a}", "{}", "{n}1", "{n}{m}", "{n*2}", "{n1}"] {
      #expect(throws: WeightsError.self) { try NamePattern(bad) }
    }
  }

  @Test(arguments: [
    (LayoutTransform.identity, [3, 2]), (.convolution, [3, 2, 4, 5]), (.convolution, [3, 4, 5]),
    (.convolutionTranspose, [3, 3, 4, 5]), (.depthwise(multiplier: 2), [3, 2, 4, 2]), (.dense, [3, 5]),
    (.denseAfterFlatten(channels: 4, height: 2, width: 3), [24, 5]), (.pointwiseAsDense, [1, 1, 3, 5]),
    (.unitConvolution, [1, 3, 5]),
    (.flipped, [2, 4, 3, 5]), (.flipped, [2, 4, 3]),
  ])
  func transformsAreUndoneExactly(_ transform: LayoutTransform, shape: Shape) throws {
    for dtype in [DType.float32, .bfloat16, .int64] {
      let tensor = ramp(shape).cast(to: dtype)
      #expect(areIdentical(try transform.undo(transform.apply(tensor)), tensor))
    }
    guard transform != .identity else { return }
    #expect(throws: WeightsError.self) { try transform.apply(ramp([7])) }
  }

  @Test func transformsPutElementsWhereTheyBelong() throws {
    // Element [y][x][c][o] of a dense kernel after a flatten of 2×3×4 goes to row o, column c·6 + y·3 + x.
    let dense = try LayoutTransform.denseAfterFlatten(channels: 4, height: 2, width: 3).apply(ramp([24, 5]))
      .values()
    let (y, x, c, o) = (1, 2, 3, 4)
    #expect(dense[o * 24 + c * 6 + y * 3 + x] == Float((y * 12 + x * 4 + c) * 5 + o) / 8)
    let depthwise = try LayoutTransform.depthwise(multiplier: 2).apply(ramp([3, 2, 4, 2]))
    #expect(depthwise.shape == [8, 1, 3, 2])
    #expect(depthwise.values()[(3 * 2 + 1) * 6 + 2 * 2 + 1] == Float(2 * 16 + 1 * 8 + 3 * 2 + 1) / 8)
    // The first of a kernel of 2×3 becomes the last.
    let flipped = try LayoutTransform.flipped.apply(ramp([4, 5, 2, 3]))
    #expect(flipped.shape == [4, 5, 2, 3])
    #expect(flipped.values()[(3 * 5 + 2) * 6 + 5] == Float((3 * 5 + 2) * 6) / 8)
    #expect(flipped.values()[(3 * 5 + 2) * 6 + 1] == Float((3 * 5 + 2) * 6 + 4) / 8)
  }

  @Test func automaticNamesLoseTheirBase() {
    let names = AutomaticNames(
      ["conv2d"], in: ["conv2d_95/kernel", "conv2d_97/kernel", "conv2d_transpose_3/kernel"])
    #expect(names.normalized("conv2d_97/kernel") == "conv2d_2/kernel")
    #expect(names.normalized("conv2d_transpose_3/kernel") == "conv2d_transpose_3/kernel")
    #expect(
      AutomaticNames(["conv2d"], in: ["conv2d/kernel", "conv2d_1/kernel"]).normalized("conv2d/bias")
        == "conv2d_0/bias")
    #expect(AutomaticNames.spelled("conv2d_0/kernel", ["conv2d"]) == "conv2d/kernel")
  }

  /// Tensors with the names and shapes of a Keras ResNet of few channels.
  private static func resnet() throws -> WeightArchive {
    var archive = WeightArchive()
    func add(_ layer: String, _ shape: Shape, batchNorm: Bool = false) throws {
      let weights: [(String, Shape)] =
        batchNorm
        ? ["gamma", "beta", "moving_mean", "moving_variance"].map { ($0, shape) }
        : [("kernel", shape), ("bias", [shape.last!])]
      for (name, shape) in weights {
        try archive.append("\(layer)/\(name)", ramp(shape, start: archive.count))
      }
    }
    try add("conv1_conv", [7, 7, 3, 2])
    try add("conv1_bn", [2], batchNorm: true)
    for stage in 2...5 {
      for block in 1...12 {
        for part in block == 1 ? [1, 2, 0, 3] : [1, 2, 3] {
          try add("conv\(stage)_block\(block)_\(part)_conv", [1, 1, 2, 2])
          try add("conv\(stage)_block\(block)_\(part)_bn", [2], batchNorm: true)
        }
      }
    }
    try add("predictions", [2, 3])
    return archive
  }

  @Test func resNetThereAndBack() throws {
    let map = try Fixture.nameMap("ResNet/keras_resnet")
    let original = try Self.resnet()
    let ours = try map.imported(original)
    #expect(ours.unmatched.isEmpty)
    #expect(ours.archive["layer3.11.bn2.running_var"] != nil)
    #expect(ours.archive["layer4.0.downsample.0.weight"]?.shape == [2, 2, 1, 1])
    #expect(ours.archive["conv1.weight"]?.shape == [2, 3, 7, 7])
    let back = try map.exported(ours.archive)
    #expect(back.unmatched.isEmpty)
    #expect(areIdentical(back.archive, original))
    // The order Keras builds the layers in, which its loader relies on.
    let layers = back.archive.keras!.layers.map(\.name)
    #expect(
      layers[2..<12] == [
        "conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1_2_conv", "conv2_block1_2_bn",
        "conv2_block1_0_conv",
        "conv2_block1_3_conv", "conv2_block1_0_bn", "conv2_block1_3_bn", "conv2_block2_1_conv",
        "conv2_block2_1_bn",
      ])
    #expect(layers.last == "predictions")
  }

  @Test func stackedRowsAreJoinedAndSeparated() throws {
    func map(_ theirs: String, _ words: String) throws -> NameMap {
      let rule = #"{ "theirs": "\#(theirs)", "ours": "{i}.in_weight", "stacked": [\#(words)] }"#
      return try NameMap(json: Array(#"{ "summary": "", "theirs": "other", "rules": [\#(rule)] }"#.utf8))
    }
    let projections = try map("layer{i}.*_proj", #""q", "k", "v""#)
    let names = ["layer0.v_proj", "layer0.k_proj", "layer0.q_proj"]
    let theirs = try WeightArchive(
      names.enumerated().map { ($1, ramp([2, 3], start: 6 * (2 - $0)).cast(to: .bfloat16)) })
    let ours = try projections.imported(theirs)
    #expect(ours.unmatched.isEmpty)
    #expect(areIdentical(ours.archive["0.in_weight"], ramp([6, 3]).cast(to: .bfloat16)))
    #expect(areIdentical(try projections.exported(ours.archive).archive, theirs))

    // What lacks a part, or has one of another shape, is not known.
    var incomplete = theirs
    incomplete["layer0.k_proj"] = nil
    #expect(Set(try projections.imported(incomplete).unmatched) == ["layer0.q_proj", "layer0.v_proj"])
    incomplete["layer0.k_proj"] = ramp([3, 3])
    #expect(try projections.imported(incomplete).archive.isEmpty)
    let odd = try WeightArchive([("0.in_weight", ramp([4, 3]))])
    #expect(throws: WeightsError.self) { try projections.exported(odd) }
    for (pattern, words) in [
      ("layer{i}", #""q", "k""#), ("layer{i}.*.*", #""q", "k""#), ("layer{i}.*", #""q""#),
    ] {
      #expect(throws: WeightsError.self) { try map(pattern, words) }
    }
  }

  @Test func numberedLayersGetTheirNamesFromTheModel() throws {
    let map = try Fixture.nameMap("ResNet/keras_resnet")
    let ours = try map.imported(Self.resnet()).archive
    var file = try KerasSpelling.attributePaths(map.exported(ours).archive)
    for index in file.keras!.layers.indices {
      file.keras!.layers[index].name = file.keras!.layers[index].path!.split(separator: "/").last.map(
        String.init)!
    }
    #expect(try map.imported(file).archive.isEmpty)
    let named = try map.imported(file, expecting: ours.names.shuffled())
    #expect(areIdentical(named.archive, ours))
  }

  @Test(arguments: [("VGG/keras_vgg16", 13, 28), ("VGG/keras_vgg19", 16, 34)])
  func vggIndices(_ path: String, convolutions: Int, last: Int) throws {
    let rules = try Fixture.nameMap(path).document.rules
    #expect(rules.filter { $0.ours.hasPrefix("features.") }.count == convolutions)
    #expect(rules.contains { $0.ours == "features.\(last)" && $0.theirs.hasPrefix("block5") })
  }

  /// Keras orders layers by their depth in the graph, and its loader goes by position.
  @Test func automaticNamesAreExportedInKerasOrder() throws {
    let map = try Fixture.nameMap("Inception/keras_inception_v3")
    let convolutions = [
      "Mixed_5b.branch_pool", "Mixed_5b.branch3x3dbl_1", "Mixed_5b.branch5x5_1", "Conv2d_2a_3x3",
      "Conv2d_1a_3x3",
    ]
    let archive = try WeightArchive(
      convolutions.map { ($0 + ".conv.weight", ramp([2, 2, 1, 1])) } + [("fc.weight", ramp([2, 2]))])
    let layers = try map.exported(archive).archive.keras!.layers.map(\.name)
    #expect(layers == ["conv2d", "conv2d_1", "conv2d_8", "conv2d_6", "conv2d_11", "predictions"])
  }

  @Test func separableConvolutionsAreTwoLayersHere() throws {
    let map = try Fixture.nameMap("Xception/keras_xception")
    let archive = try WeightArchive([
      ("block4_sepconv2/depthwise_kernel", ramp([3, 3, 4, 1])),
      ("block4_sepconv2/pointwise_kernel", ramp([1, 1, 4, 5])),
    ])
    let ours = try map.imported(archive)
    #expect(ours.archive["features.block4.sepconv2.depthwise.weight"]?.shape == [4, 1, 3, 3])
    #expect(ours.archive["features.block4.sepconv2.pointwise.weight"]?.shape == [5, 4, 1, 1])
    let back = try map.exported(ours.archive)
    #expect(areIdentical(back.archive, archive))
    #expect(back.archive.keras?.layers.map(\.className) == ["separable_conv2d"])
  }

  /// The names of the file that Keras publishes, which Keras 1 wrote.
  @Test func publishedXceptionIsNumberedThroughout() throws {
    let map = try Fixture.nameMap("Xception/keras1_xception")
    let archive = try WeightArchive([
      ("convolution2d_1/kernel", ramp([3, 3, 3, 4])), ("batchnormalization_1/gamma", ramp([4])),
      ("separableconvolution2d_1/pointwise_kernel", ramp([1, 1, 4, 5])),
      ("convolution2d_6/kernel", ramp([1, 1, 4, 4])), ("batchnormalization_36/gamma", ramp([4])),
      ("separableconvolution2d_34/depthwise_kernel", ramp([3, 3, 4, 1])), ("dense_2/bias", ramp([3])),
    ])
    #expect(
      try map.imported(archive).archive.names == [
        "features.block1_conv1.weight", "features.block1_conv1_bn.weight",
        "features.block2.sepconv1.pointwise.weight", "features.block13.shortcut.0.weight",
        "features.block13.shortcut.1.weight", "features.block14_sepconv2.depthwise.weight",
        "predictions.bias",
      ])
  }

  @Test func unmatchedNamesAreReported() throws {
    let map = try NameMap(
      json: Array(
        #"""
        {"summary": "", "theirs": "keras", "rules": [
          {"theirs": "conv1", "ours": "conv1", "layer": "convolution"},
          {"theirs": "conv_dw_{i}", "ours": "conv_dw_{i}", "layer": "depthwise"}]}
        """#.utf8))
    let archive = try WeightArchive([
      ("conv1/kernel", ramp([3, 3, 3, 8])), ("conv_dw_1/kernel", ramp([3, 3, 8, 1])),
      ("head/kernel", ramp([2, 2])),
    ])
    let ours = try map.imported(archive)
    #expect(ours.archive.names == ["conv1.weight", "conv_dw_1.weight"])
    #expect(ours.archive["conv_dw_1.weight"]?.shape == [8, 1, 3, 3])
    #expect(ours.unmatched == ["head/kernel"])
    #expect(areIdentical(ours.rest["head/kernel"], ramp([2, 2])))
    let prefixed = try map.imported(
      WeightArchive([("base/conv1/kernel", ramp([3, 3, 3, 8]))]), strippingPrefix: "base/")
    #expect(prefixed.archive.names == ["conv1.weight"])
    let error = #expect(throws: WeightsError.self) {
      try map.imported(WeightArchive([("conv1/kernel", ramp([3]))]))
    }
    #expect(error?.description.contains("\"conv1/kernel\": its shape is 3") == true)
  }

  @Test(arguments: [
    (#"{"summary":"","theirs":"keras","rules":[{"theirs":"a{n}","ours":"b"}]}"#, "no way back"),
    (#"{"summary":"","theirs":"keras"}"#, "lacks \"rules\""),
    (#"{"summary":"","summary":"","theirs":"keras","rules":[]}"#, "occurs twice"),
    (
      #"{"summary":"","theirs":"keras","rules":[{"theirs":"a","ours":"b","layer":"dense","flattened":[1]}]}"#,
      "flattened"
    ),
  ])
  func refusesBadMaps(_ json: String, message: String) throws {
    let error = #expect(throws: WeightsError.self) { try NameMap(json: Array(json.utf8)) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }
}
