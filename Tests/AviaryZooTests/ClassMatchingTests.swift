import Testing

@testable import AviaryZoo

@Suite("Names of classes are matched with those of the weights")
struct ClassMatchingTests {
  private func model(_ labels: [String]) throws -> LoadedClassifier {
    var loaded = try Zoo.untrained(try Catalogue.entry("lenet"))
    loaded.labels = labels
    return loaded
  }

  private func refusal(_ names: [String], by labels: [String]) throws -> UnknownClasses? {
    let loaded = try model(labels)
    return #expect(throws: UnknownClasses.self) { try loaded.outputs(of: names) }
  }

  @Test("some classes, in another order, in another spelling")
  func spelling() throws {
    let loaded = try model(["car", "Great_White Shark", "dog", "t-shirt, jersey"])
    #expect(try loaded.outputs(of: ["dog", "CAR"]) == [2, 0])
    #expect(try loaded.outputs(of: ["great white shark", "T Shirt", "jersey"]) == [1, 3, 3])
    #expect(try model(["C", "c"]).outputs(of: ["c"]) == [1])
  }

  @Test("strangers are named, all at once")
  func strangers() throws {
    let error = try refusal(["cat", "dog", "zebra", "yak"], by: ["car", "cat", "dog"])
    #expect(error?.unknown == ["zebra", "yak"])
    #expect(
      error?.description == "the weights know no class zebra, yak; their 3 are car, cat, dog")
    #expect(try refusal(["A B"], by: ["a_b", "ab"])?.ambiguous == [.init(name: "A B", classes: [0, 1])])
  }

  @Test("ImageNet: WordNet's numbers, labels, synonyms; cranes are two")
  func imagenet() throws {
    let labels = try LabelSet.imagenet.names()
    let loaded = try model(labels)
    #expect(
      try loaded.outputs(of: [
        "n01440764", "n02012849_crane", "tench", "Tinca tinca", "tench, Tinca tinca", "white_shark",
        "television system",
      ]) == [0, 134, 0, 0, 0, 2, 851])
    let error = try refusal(["crane"], by: labels)
    #expect(error?.ambiguous == [.init(name: "crane", classes: [134, 517])])
    #expect(error?.description.contains("WordNet") == true)
    #expect(try refusal(["n99999999"], by: labels)?.unknown == ["n99999999"])
    // As Keras spells them.
    let underscored = try model(labels.map { $0.split(separator: " ").joined(separator: "_") })
    #expect(try underscored.outputs(of: ["n01484850", "great_white_shark"]) == [2, 2])
  }

  @Test("outputs without names are known as such")
  func unnamed() throws {
    #expect(try !model(["class 0", "class 1"]).hasClassNames)
    #expect(try model(["cat", "dog"]).hasClassNames)
  }
}
