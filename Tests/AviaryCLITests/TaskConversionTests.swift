import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Converting and verifying networks of other tasks")
struct TaskConversionTests {
  @Test(
    "there and back through each format, tensor by tensor",
    arguments: [
      ("unet_drive", "portable", "safetensors"), ("unet_drive", "torchvision", "safetensors"),
      ("unet_drive", "npz", "npz"), ("unet_drive", "keras", "h5"),
      ("unet_bilinear", "portable", "safetensors"),
      ("unet_bilinear", "torchvision", "safetensors"), ("unet_bilinear", "npz", "npz"),
      ("detr_resnet50", "portable", "safetensors"), ("detr_resnet50", "torchvision", "safetensors"),
      ("detr_resnet50", "npz", "npz"),
    ])
  func convert(name: String, target: String, ending: String) throws {
    try withTemporaryFolder { folder in
      let (source, path, back) = (
        "\(folder)/a.safetensors", "\(folder)/b.\(ending)", "\(folder)/c.safetensors"
      )
      let numbers =
        name == "detr_resnet50"
        ? ["hidden_dim": 32, "enc_layers": 1, "dec_layers": 1, "num_classes": 3]
        : name == "unet_bilinear" ? ["n_classes": 3] : [:]
      let loaded = try writeWeights(of: name, numbers.mapValues { .integer($0) }, to: source)
      let there = aviary("convert", source, path, "--to", target)
      #expect(there.status == 0, "\(there.errors)")
      #expect(aviary("inspect", path).output.contains("model: \(name)"))
      let again = aviary("convert", path, back)
      #expect(again.status == 0, "\(again.errors)")
      let archive = try WeightFile.open(back).archive
      #expect(archive.portable?.model == name && archive.portable?.task == loaded.task.rawValue)
      #expect(archive.portable?.taskSettings == loaded.metadata.taskSettings)
      #expect(archive.portable?.labels == loaded.metadata.labels)
      #expect(archive.portable?.preprocessing == loaded.metadata.preprocessing)
      for entry in loaded.network.stateEntries {
        #expect(archive[entry.name]?.values() == entry.value.values(), "\(entry.name)")
      }
    }
  }

  @Test("verify names the reading that fits, convert --check proves the outputs equal")
  func verify() throws {
    try withTemporaryFolder { folder in
      let (source, path) = ("\(folder)/a.safetensors", "\(folder)/f.safetensors")
      try writeWeights(of: "unet_bilinear", to: source)
      let check = aviary("convert", source, path, "--check")
      #expect(check.status == 0 && check.output.contains("read back bit-equal"), "\(check.errors)")
      let whole = aviary("verify", "unet_bilinear", "--weights", path)
      #expect(whole.status == 0 && whole.output.hasSuffix("as the file expects"), "\(whole.errors)")
      let other = aviary("verify", "unet_bilinear", "--weights", path, "--set", "align_corners=false")
      #expect(other.status == 1)
      #expect(
        other.errors
          == "aviary: the stage down4.maxpool_conv is the first that differs from what the file expects; what is expected comes out if align_corners is true"
      )
    }
  }
}
