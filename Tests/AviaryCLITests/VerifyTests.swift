import Aviary
import Foundation
import Testing

@testable import AviaryCLI

@Suite("Checking weights from the command line")
struct VerifyTests {
  @Test("verify compares with the card, the file and another file")
  func verify() throws {
    let shipped = aviary("verify", "lenet", "--json")
    #expect(shipped.status == 0, "\(shipped.errors)")
    let json = try JSONSerialization.jsonObject(with: Data(shipped.output.utf8)) as? [String: Any]
    #expect(json?["expected_from"] as? String == "the card")
    #expect((json?["stages"] as? [[String: Any]])?.count == 4)
    try withTemporaryFolder { folder throws in
      let (path, other) = ("\(folder)/lenet.safetensors", "\(folder)/other.safetensors")
      let lenet = try Zoo.load("lenet")
      try lenet.save(to: path)
      #expect(aviary("verify", "lenet", "--weights", path).output.contains("as the file expects"))
      try Zoo.untrained(try Catalogue.entry("lenet")).save(to: other)
      let different = aviary("verify", "lenet", "--weights", path, "--against", other)
      #expect(
        different.status == 1 && different.errors.contains("the stage block1 is the first that differs"))
      #expect(aviary("verify", "lenet", "--weights", path, "--against", path).status == 0)
      let plain = "\(folder)/lenet.npz"
      try WeightFile.write(try lenet.archive(), to: plain, as: .npz)
      #expect(aviary("verify", "lenet", "--weights", plain).errors.contains("--against"))
      #expect(aviary("verify", "lenet", "--weights", plain, "--against", path).status == 0)
    }
  }

  @Test("inspect tells a whole model, one without a classifier, and the nearest to what fits none")
  func inspect() throws {
    try withTemporaryFolder { folder throws in
      let path = "\(folder)/weights.npz"
      let entries = try Zoo.load("lenet").model.stateEntries
      func report(_ tensors: [(String, Tensor)]) throws -> [String: Any] {
        try WeightFile.write(try WeightArchive(tensors), to: path, as: .npz)
        #expect(aviary("inspect", path).status == 0)
        let outcome = aviary("inspect", path, "--json")
        return try #require(
          try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
      }
      let tensors = entries.map { ($0.name, $0.value) }
      let whole = try report(tensors)
      #expect(whole["model"] as? String == "lenet" && whole["classes"] as? Int == 10)
      let cut = try report(tensors.filter { !$0.0.hasPrefix("fc3") })
      #expect(cut["model"] as? String == "lenet" && cut["last_stage"] as? String == "hidden")
      #expect(aviary("inspect", path).output.contains("without a classifier: its stages through hidden"))
      let other = try report(tensors.filter { $0.0 != "conv2.bias" } + [("extra", Tensor.zeros([3]))])
      let nearest = try #require(other["nearest"] as? [String: Any])
      #expect(other["model"] == nil && nearest["model"] as? String == "lenet")
      #expect(nearest["missing"] as? [String] == ["conv2.bias"])
      #expect(nearest["unexpected"] as? [String] == ["extra"])
    }
  }
}
