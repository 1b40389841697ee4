import AviaryLayers
import AviaryTensors
import AviaryVision
import AviaryWeights
import Foundation
import TestSupport
import Testing

@testable import AviaryZoo

@Suite("Networks from darknet's .cfg")
struct DarknetTests {
  private func network(
    _ layers: String, net: String = "width=4\nheight=4\nchannels=2", fork: DarknetFork = .alexeyab
  ) throws -> Darknet {
    try Darknet(.init(cfg: "[net]\n\(net)\n\(layers)", fork: fork))
  }

  /// What the last layer makes of the numbers 0, 1, 2, …
  private func result(
    _ layers: String, net: String = "width=4\nheight=4\nchannels=2", fork: DarknetFork = .alexeyab
  ) throws -> Tensor {
    let network = try network(layers, net: net, fork: fork)
    let shape = network.input.of(batch: 1)
    let images = Tensor((0..<shape.elementCount).map { Float($0) }, shape: shape)
    return network.results(of: [network.layers.count - 1], images)[0]
  }

  // MARK: Layers

  @Test("a maximum of 2 with stride 2 rounds up, one with stride 1 keeps the size, and padding never wins")
  func maximum() throws {
    let odd = try result("[maxpool]\nsize=2\nstride=2", net: "width=3\nheight=3\nchannels=1")
    #expect(odd.shape == [1, 1, 2, 2] && odd.values() == [4, 5, 7, 8])
    let same = try result("[maxpool]\nsize=2\nstride=1", net: "width=3\nheight=3\nchannels=1")
    #expect(same.values() == [4, 5, 5, 7, 8, 8, 7, 8, 8])
    let whole = try result("[maxpool]\nsize=13\nstride=1").values()
    #expect(Array(whole[..<16]) == [Float](repeating: 15, count: 16))
    #expect(Array(whole[16...]) == [Float](repeating: 31, count: 16))
  }

  @Test("routes count from the first layer or back, and take groups of each input's channels")
  func route() throws {
    let layers = "[dropout]\n[upsample]\n[route]\nlayers=-2,0\n[route]\nlayers=-1\ngroups=2\ngroup_id=1"
    let output = try result(layers)
    #expect(output.shape == [1, 2, 4, 4] && output.values()[0] == 0)
    let half = try result("[dropout]\n[route]\nlayers=-1\ngroups=2\ngroup_id=1")
    #expect(half.values() == (16..<32).map { Float($0) })
  }

  @Test("v2's reorganisation reads memory as a larger map of fewer channels")
  func reorganisation() throws {
    // From 4×2×2: one channel of 4×4, whose places at even rows and columns come first.
    let output = try result("[reorg]\nstride=2", net: "width=2\nheight=2\nchannels=4")
    #expect(output.shape == [1, 16, 1, 1])
    #expect(output.values() == [0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15])
    let ordinary = try result("[reorg3d]\nstride=2", net: "width=2\nheight=2\nchannels=2")
    #expect(ordinary.values() == [0, 4, 1, 5, 2, 6, 3, 7])
  }

  @Test("shortcuts of another size: by places with pjreddie, by memory with AlexeyAB")
  func shortcut() throws {
    let layers = "[dropout]\n[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=0\nactivation=linear"
    let pjreddie = try result(layers, net: "width=4\nheight=4\nchannels=1", fork: .pjreddie)
    #expect(pjreddie.values() == [5, 9, 21, 25])
    let alexey = try result(layers, net: "width=4\nheight=4\nchannels=1")
    #expect(alexey.values() == [5, 8, 15, 18])
    let scaled = try result(
      layers.replacingOccurrences(of: "from=0", with: "from=0\nalpha=2\nbeta=10"),
      net: "width=4\nheight=4\nchannels=1", fork: .pjreddie)
    #expect(scaled.values() == [10, 34, 106, 130])
  }

  @Test("weighted shortcuts share what the numbers say, with ε")
  func weightedShortcut() throws {
    let network = try network(
      "[dropout]\n[dropout]\n[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=relu\nactivation=linear",
      net: "width=1\nheight=1\nchannels=2")
    let weights = try #require(network.stateEntries.first)
    #expect(weights.name == "layers.2.weights" && weights.shape == [2, 2])
    weights.value = Tensor([3, -1, 1, 1] as [Float], shape: [2, 2])
    let sum = network.results(of: [2], Tensor([10, 20] as [Float], shape: [1, 2, 1, 1]))[0].values()
    let wanted: [Float] = [10 * 4 / 4.0001, 20 / 1.0001]
    #expect(abs(sum[0] - wanted[0]) < 1e-4)
    #expect(abs(sum[1] - wanted[1]) < 1e-4)
  }

  @Test("a convolution without an activation is logistic, and dilation keeps the size")
  func convolution() throws {
    let network = try network("[convolutional]\nfilters=3\nsize=3\npad=1\ndilation=2\ngroups=1")
    #expect(network.layers[0].shape == DarknetShape(channels: 3, height: 4, width: 4))
    for entry in network.stateEntries { entry.value = .zeros(entry.shape) }
    #expect(network(["images": .zeros([1, 2, 4, 4])])["output"].values().allSatisfy { $0 == 0.5 })
  }

  @Test("functions", arguments: DarknetActivation.allCases)
  func activations(_ activation: DarknetActivation) throws {
    let inputs: [Float] = [-30, -2, -0.5, 0.25, 0.75, 3, 30]
    let wanted = inputs.map { x -> Float in
      let e = Float(exp(Double(-abs(x))))
      let logistic = x >= 0 ? 1 / (1 + e) : e / (1 + e)
      switch activation {
      case .linear: return x
      case .logistic: return logistic
      case .loggy: return 2 * logistic - 1
      case .relu: return max(x, 0)
      case .relu6: return min(max(x, 0), 6)
      case .elu: return x > 0 ? x : e - 1
      case .selu: return x > 0 ? 1.0507 * x : 1.0507 * 1.6732 * (e - 1)
      case .relie: return x > 0 ? x : 0.01 * x
      case .ramp: return max(x, 0) + 0.1 * x
      case .leaky: return x > 0 ? x : 0.1 * x
      case .tanh: return tanhf(x)
      case .hardtan: return min(max(x, -1), 1)
      case .lhtan: return x < 0 ? 0.001 * x : x > 1 ? 0.001 * (x - 1) + 1 : x
      case .swish: return x * logistic
      case .mish: return x * tanhf(x > 20 ? x : log1pf(expf(x)))
      case .gelu: return 0.5 * x * (1 + tanhf(0.797885 * x + 0.035677 * x * x * x))
      }
    }
    for (value, expected) in zip(activation(Tensor(inputs)).values(), wanted) {
      #expect(
        abs(value - expected) < 1e-4 * max(abs(expected), 1), "\(activation): \(value), not \(expected)")
    }
  }

  // MARK: Heads

  @Test("v3's boxes: centres within cells, sides by anchors of the network's picture")
  func yolo() throws {
    let network = try network(
      "[yolo]\nmask=1\nanchors=1,1, 8,16\nnum=2\nclasses=2\nscale_x_y=1.2",
      net: "width=32\nheight=32\nchannels=7")
    let head = try #require(network.heads.first?.head)
    var map = [Float](repeating: 0, count: 7 * 32 * 32)
    map[2 * 1024 + 33] = 1  // w at row 1, column 1
    let rows = head.decoded(Tensor(map, shape: [1, 7, 32, 32])).values()
    let row = Array(rows[33 * 7..<34 * 7])
    #expect(abs(row[0] - 1.5 / 32) < 1e-6 && abs(row[1] - 1.5 / 32) < 1e-6)
    #expect(abs(row[2] - expf(1) * 8 / 32) < 1e-5 && row[3] == 16 / 32)
    #expect(row[4...].allSatisfy { $0 == 0.5 })
  }

  @Test("v2's boxes: anchors in cells, classes that share a softmax")
  func region() throws {
    let network = try network(
      "[region]\nanchors=1,2\nnum=1\nclasses=4\nsoftmax=1", net: "width=2\nheight=2\nchannels=9")
    let rows = network(["images": .zeros([1, 9, 2, 2])])["predictions"]
    #expect(rows.shape == [1, 4, 9])
    #expect(Array(rows.values()[27...]) == [0.75, 0.75, 0.5, 1, 0.5, 0.25, 0.25, 0.25, 0.25])
  }

  @Test("v1's boxes: a vector of classes, certainties and boxes, sides as roots")
  func grid() throws {
    let network = try network(
      "[detection]\nclasses=2\ncoords=4\nnum=2\nside=1\nsqrt=1", net: "width=1\nheight=1\nchannels=12")
    let values: [Float] = [0.1, 0.9, 0.5, 0.25, 0.5, 0.25, 0.5, 0.75, 1, 0, 0.5, 0.5]
    let rows = network(["images": Tensor(values, shape: [1, 12, 1, 1])])["predictions"]
    #expect(rows.values() == [0.5, 0.25, 0.25, 0.5625, 0.5, 0.1, 0.9, 1, 0, 0.25, 0.25, 0.25, 0.1, 0.9])
  }

  // MARK: Pictures

  @Test("the letterbox rounds down, and boxes come back without rounding")
  func letterbox() {
    let frame = DarknetFrame(width: 416, height: 416, keepsProportions: true)
    let inner = frame.inner(width: 768, height: 575)
    #expect(inner.width == 416 && inner.height == 311)
    let box = frame.box(0.5, 0.5, 1, Float(311) / 416, of: (768, 575))
    #expect(abs(box.x1) < 1e-3 && abs(box.x2 - 768) < 1e-3 && abs(box.y1) < 1e-2 && abs(box.y2 - 575) < 1e-2)
    let picture = frame([Image(width: 2, height: 1, model: .rgb, pixels: Array(repeating: 255, count: 6))])
    #expect(picture.values()[0] == 0.5 && picture.values()[416 * 208] == 1)
    for (width, height) in [(1, 1), (1, 9000), (8000, 6000)] {
      let inner = frame.inner(width: width, height: height)
      #expect(1...416 ~= inner.width && 1...416 ~= inner.height)
    }
  }

  // MARK: Weights

  @Test("weights go to a file and come back bit-equal; short, cut and long ones are told with numbers")
  func weights() throws {
    let cfg =
      "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky\n[connected]\noutput=5\nbatch_normalize=1\nactivation=linear\n[batchnorm]\n"
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("darknet-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (cfgPath, path) = (
      folder.appendingPathComponent("a.cfg").path, folder.appendingPathComponent("a.weights").path
    )
    try cfg.write(toFile: cfgPath, atomically: true, encoding: .utf8)
    let network = try Darknet(.init(cfg: cfg))
    for entry in network.stateEntries {
      entry.value = Tensor(DeterministicWeights.torch(entry.name, shape: entry.shape), shape: entry.shape)
    }
    try WeightFile.write(try network.stream(of: network.archive()), to: path, as: .darknet)
    let loaded = try Zoo.network(cfgPath, weights: path)
    for (own, read) in zip(network.stateEntries, loaded.network.stateEntries) {
      #expect(own.name == read.name && own.value.values() == read.value.values())
    }
    // A .cfg beside the weights says what they are.
    #expect(try Zoo.network("darknet", weights: path).settings["cfg"] == .string(cfg))
    // What is saved says itself what it is.
    let portable = folder.appendingPathComponent("a.safetensors").path
    try loaded.save(to: portable)
    let again = try Zoo.network("darknet", weights: portable)
    #expect(again.network.stateEntries.map(\.name) == network.stateEntries.map(\.name))

    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    let count = (bytes.count - 20) / 4
    for (change, words) in [
      (
        bytes.dropLast(4),
        "the network has \(count) numbers, the weights have \(count - 1): they end within layers.2.bn.running_var"
      ),
      (bytes.prefix(20 + 4 * (4 * 4 + 4 * 27)), "they end before layers.1.bn.bias"),
      (bytes + Data(count: 8), "the network has \(count) numbers, the weights have \(count + 2)"),
      (bytes.dropLast(1), "not a whole number of float32 values"), (bytes.prefix(15), "1"),
    ] {
      try Data(change).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: WeightsError.self) { try Zoo.network(cfgPath, weights: path) }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  @Test("pjreddie's files have no shifts of a normalization by itself")
  func loneNormalization() throws {
    func count(_ fork: DarknetFork) throws -> Int {
      try network("[batchnorm]", fork: fork).layers[0].stream.count
    }
    #expect(try count(.alexeyab) == 4 && count(.pjreddie) == 3)
  }

  // MARK: Damage

  @Test(
    "a .cfg that makes no network is told by its line",
    arguments: [
      ("", "begins with [net]"), ("[convolutional]", "begins with [net]"), ("filters=3", "in a section"),
      ("[net]\nwidth=4\nheight=4", "layers after it"), ("[net\nwidth", "brackets"),
      ("[net]\nwidth=-4\nheight=4\n[dropout]", "line 2, [net] width is -4"),
      ("[net]\nheight=4\n[dropout]", "width is missing"),
      ("[net]\nwidth=4\nheight=4\n[lstm]\n", "line 4, [lstm]"),
      ("[net]\nwidth=4\nheight=4\n[route]\nlayers=0", "0 in layer 0"),
      ("[net]\nwidth=4\nheight=4\n[dropout]\n[route]\nlayers=1", "1 in layer 1"),
      ("[net]\nwidth=4\nheight=4\n[dropout]\n[shortcut]\nfrom=-2", "-2 in layer 1"),
      ("[net]\nwidth=4\nheight=4\n[route]\nlayers=a", "whole numbers"),
      ("[net]\nwidth=4\nheight=4\n[convolutional]\nfilters=-1", "filters is -1"),
      ("[net]\nwidth=4\nheight=4\n[convolutional]\nfilters=99999999999999999999", "filters is 9999"),
      ("[net]\nwidth=4\nheight=4\n[convolutional]\nsize=9", "no more than the 3×4×4"),
      ("[net]\nwidth=4\nheight=4\n[convolutional]\ngroups=2", "a divisor of 3 channels"),
      ("[net]\nwidth=4\nheight=4\n[convolutional]\nactivation=stairs", "one of elu"),
      ("[net]\nwidth=16384\nheight=16384\n[convolutional]\nfilters=1000000", "elements at most"),
      ("[net]\nwidth=16\nheight=16\n[convolutional]\nfilters=1000000\nsize=1000\npad=1", "numbers at most"),
      ("[net]\nwidth=64\nheight=64\n[connected]\noutput=1000000", "at most"),
      ("[net]\nwidth=4\nheight=4\n[upsample]\nstride=-2", "stride is -2"),
      ("[net]\nwidth=4\nheight=4\n[yolo]\nanchors=1,2\nclasses=1", "behind 3 channels"),
      ("[net]\nwidth=4\nheight=4\nchannels=6\n[yolo]\nanchors=1,2\nclasses=1\nmask=3", "mask"),
      ("[net]\nwidth=4\nheight=4\nchannels=6\n[yolo]\nanchors=1,nan\nclasses=1", "numbers with commas"),
      ("[net]\nwidth=4\nheight=4\n[reorg]\nstride=3", "stride is 3"),
    ])
  func refused(_ text: String, _ words: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try Darknet(.init(cfg: text)) }
    #expect(error?.description.contains(words) == true, "\(String(describing: error))")
  }

  @Test("damaged copies of a .cfg end in an error or in a network")
  func damaged() throws {
    var random = SystemRandomNumberGenerator()
    let original = Array(Darknet.yoloV3Tiny.utf8)
    for _ in 0..<300 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...127, using: &random)
        case 1: bytes.insert(UInt8(ascii: "9"), at: place)
        default: bytes.remove(at: place)
        }
      }
      do {
        _ = try Darknet(.init(cfg: String(decoding: bytes, as: UTF8.self)))
      } catch {}
    }
  }

  @Test("the catalogue's network has as many numbers as the published file")
  func published() throws {
    let network = try Darknet(.init(cfg: Darknet.yoloV3Tiny))
    let count = network.layers.flatMap(\.stream).reduce(0) { $0 + $1.shape.elementCount }
    #expect(20 + 4 * count == (try Catalogue.entry("darknet").card().weights[0].bytes))
  }
}
