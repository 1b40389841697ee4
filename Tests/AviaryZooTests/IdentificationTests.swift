import AviaryLayers
import AviaryTensors
import AviaryWeights
import Foundation
import Testing

@testable import AviaryZoo

private let assets = ProcessInfo.processInfo.environment["AVIARY_ASSETS"]

@Suite("Identification")
struct IdentificationTests {
  /// A network's tensors without values.
  private func archive(_ model: any StagedModel, keeping: (String) -> Bool = { _ in true }) throws
    -> WeightArchive
  {
    var archive = WeightArchive()
    for entry in model.stateEntries where keeping(entry.name) {
      let shape = entry.shape
      try archive.append(entry.name, TensorSpec(shape, .float32)) { .zeros(shape) }
    }
    return archive
  }

  @Test("every dialect is found by names and shapes, or the one with the same tensors before it")
  func everyDialect() throws {
    for entry in Catalogue.entries(.classification) {
      let classes = try entry.card().classes
      for dialect in entry.networks {
        let found = try #require(Zoo.identification(of: try archive(dialect.make(classes))))
        #expect(found.entry.name == entry.name && found.extent == .whole(classes: classes), "\(entry.name)")
      }
    }
  }

  @Test("every dialect of Keras is found by Keras' names and layouts, and by which map")
  func everyKerasDialect() throws {
    var count = 0
    for entry in Catalogue.entries(.classification) {
      let classes = try entry.card().classes
      for dialect in entry.dialects {
        let model = dialect.make(classes)
        guard let map = try dialect.loadNameMap(for: model) else { continue }
        let exported = try map.exported(archive(model))
        guard exported.unmatched.isEmpty else { continue }
        count += 1
        let found = try #require(Zoo.identification(of: exported.archive), "\(entry.name).\(dialect.name)")
        #expect(
          found.entry.name == entry.name && found.extent == .whole(classes: classes),
          "\(entry.name).\(dialect.name) is taken for \(found.entry.name).\(found.dialect.name)")
        #expect(found.nameMap != nil && found.report.missing.isEmpty && found.report.unexpected.isEmpty)
      }
    }
    #expect(count > 20)
  }

  @Test("other classes and input channels are no hindrance", arguments: [1, 4])
  func adapted(channels: Int) throws {
    for name in ["resnet50", "mobilenet_v2", "vgg16", "densenet121", "lenet"] {
      let entry = try Catalogue.entry(name)
      let model = entry.dialects[0].make(7)
      let first = try #require(model.stateEntries.first { $0.shape.count == 4 })
      var weights = WeightArchive()
      for entry in model.stateEntries {
        var shape = entry.shape
        if entry.name == first.name { shape[1] = channels }
        try weights.append(entry.name, TensorSpec(shape, .float32)) { [shape] in .zeros(shape) }
      }
      let found = try #require(Zoo.identification(of: weights))
      #expect(found.entry.name == name && found.extent == .whole(classes: 7), "\(name): \(found.extent)")
      #expect(found.report.misshaped.isEmpty)
    }
  }

  @Test("another number of classes, no classifier, and neither")
  func parts() throws {
    let entry = try Catalogue.entry("resnet50")
    let other = try #require(Zoo.identification(of: archive(entry.dialects[0].make(7))))
    #expect(other.entry.name == "resnet50" && other.extent == .whole(classes: 7))

    let model = entry.dialects[0].make(1000)
    let features = try #require(
      Zoo.identification(of: archive(model) { !$0.hasPrefix("fc.") }))
    #expect(features.entry.name == "resnet50" && features.extent == .features(through: "layer4"))
    #expect(try Zoo.identify(archive(model) { !$0.hasPrefix("fc.") }) == nil)

    let holed = try #require(Zoo.identification(of: archive(model) { $0 != "layer2.1.conv2.weight" }))
    #expect(holed.entry.name == "resnet50" && holed.extent == .nearest)
    #expect(holed.report.missing.map(\.name) == ["layer2.1.conv2.weight"])
    #expect(Zoo.identification(of: WeightArchive()) == nil)
  }

  @Test("real files", .enabled(if: assets != nil, "AVIARY_ASSETS names no folder with real weights"))
  func realFiles() throws {
    let folder = try #require(assets) + "/weights"
    let known: [(String, String, String, Identification.Extent)] = [
      ("resnet20-cifar10-12fca82f.th", "resnet20", "cifar10", .whole(classes: 10)),
      ("mobilenet_2_5_224_tf.h5", "mobilenet_v1_0.25", "keras", .whole(classes: 1000)),
      ("mobilenetv1_025_vww96_mlperftiny.h5", "mobilenet_v1_0.25_vww", "mlperf_tiny", .whole(classes: 2)),
      ("resnet8_cifar10_mlperftiny.h5", "resnet8", "mlperf_tiny", .whole(classes: 10)),
      ("lenet_mnist_keras_sam783.h5", "lenet", "keras_wide", .whole(classes: 10)),
      (
        "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5", "squeezenet1_1", "keras",
        .features(through: "block4")
      ),
      ("tiny_darknet_imagenet.h5", "tiny_darknet", "keras", .whole(classes: 1000)),
      ("yolov5n.pt", "yolov5n", "ultralytics", .whole(classes: 0)),
      ("vae_mnist_csinva.pth", "vae_mnist", "pytorch", .whole(classes: 0)),
      ("charrnn_shakespeare.pth", "charrnn", "pytorch", .whole(classes: 0)),
      ("retina_unet_drive_best.h5", "unet_drive", "orobix", .whole(classes: 0)),
      ("retina_unet_drive.pth", "unet_drive", "orobix", .whole(classes: 0)),
    ]
    for (file, model, dialect, extent) in known {
      let found = try #require(Zoo.identification(of: WeightFile.open("\(folder)/\(file)").archive))
      #expect(found.entry.name == model && found.dialect.name == dialect && found.extent == extent, "\(file)")
    }
    let unknown = [
      "ddpm_mnist.pth", "vgg19ae_vgg_normalised_conv3_1.pth", "yolo-fastest-1.1-xl.weights",
    ]
    for file in unknown {
      let found = Zoo.identification(of: try WeightFile.open("\(folder)/\(file)").archive)
      #expect(found?.fits != true, "\(file): \(found?.entry.name ?? "")")
    }
  }
}
