import AviaryTensors
import AviaryTraining
import Foundation
import Synchronization
import Testing

/// Folders of pictures as they are found: with links, loops, folders in folders, and much that is no picture.
@Suite("What is taken of a folder of pictures, and what is left out")
struct FolderTests {
  private let folder = Result { try TemporaryFolder() }

  private struct Damage: Error {
    let path: String
  }

  /// Pictures whose first byte is 0 are damaged.
  private func open(_ path: String, minimumClasses: Int = 2) throws -> FolderDataset {
    try FolderDataset(path, minimumClasses: minimumClasses) { path in
      guard FileManager.default.contents(atPath: path)?.first == 1 else { throw Damage(path: path) }
      return Tensor(Float(path.utf8.count))
    }
  }

  private func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.get().path + "/" + path, withDestinationPath: target)
  }

  private func picture(_ names: String...) throws {
    for name in names { _ = try folder.get().write(name, [1]) }
  }

  @Test("links to classes, to pictures and to the whole are followed")
  func links() throws {
    let root = try folder.get().path
    try picture("data/blue/0.png", "data/green/0.png", "store/red/0.png", "store/red/1.png", "other.png")
    try link("data/red", to: "../store/red")
    try link("data/blue/1.png", to: "../../other.png")
    try link("whole", to: "data")
    for path in ["data", "whole", "whole/"] {
      let data = try open("\(root)/\(path)")
      #expect(data.classNames == ["blue", "green", "red"])
      #expect((0..<data.count).map(data.label) == [0, 0, 1, 2, 2])
      #expect(data.leftOut.isEmpty && data.summary == "5 pictures in 3 classes")
    }
  }

  @Test(
    "pictures further inside belong to the class, each folder is visited once, and links that go round end")
  func loops() throws {
    let root = try folder.get().path
    try picture("data/a/0.png", "data/a/more/1.png", "data/a/more/yet/2.png", "data/b/0.png")
    try link("data/a/more/round", to: "..")
    try link("data/a/up", to: "../..")
    try link("data/b/self", to: "self")
    try link("data/whole", to: ".")
    // Without end: two links each that lead to the next folder would be 2³⁰ paths.
    for level in 0..<30 {
      try picture("deep/\(level)/x.png")
      for name in ["l", "r"] where level < 29 { try link("deep/\(level)/\(name)", to: "../\(level + 1)") }
    }
    try link("data/b/deep", to: "../../deep/0")
    let data = try open("\(root)/data")
    #expect(data.classNames == ["a", "b"])
    #expect((0..<data.count).filter { data.label($0) == 0 }.count == 3)
    #expect((0..<data.count).filter { data.label($0) == 1 }.count == 31)
    #expect(
      data.leftOut.byText == ["leading nowhere": 1, "linked again": 2 + 29 + 1])
  }

  @Test("what is left out is counted by reason; pipes and devices are not opened")
  func reasons() throws {
    let root = try folder.get().path
    try picture("data/a/0.png", "data/b/0.JPG", "data/top.png")
    for name in [
      "data/a/x.avif", "data/a/y.avif", "data/a/notes", "data/b/.hidden.png", "data/b/.DS_Store",
      "data/labels",
    ] {
      _ = try folder.get().write(name, [1])
    }
    #expect(mkfifo("\(root)/data/a/pipe.png", 0o600) == 0)
    try link("data/a/endless.png", to: "/dev/zero")
    try link("data/a/gone.png", to: "nowhere.png")
    let data = try open("\(root)/data")
    #expect(data.count == 2)
    #expect(
      data.summary
        == "2 pictures in 2 classes; left out: 2 .avif, 2 beside the class folders, 1 hidden, "
        + "1 leading nowhere, 2 neither file nor folder, 1 without an ending"
    )
  }

  @Test("damaged pictures are found, named and left out; a class of nothing else is refused with the reason")
  func damage() throws {
    let root = try folder.get().path
    for index in 0..<100 {
      _ = try folder.get().write("data/a/\(100 + index).png", [index.isMultiple(of: 10) ? 0 : 1])
    }
    try picture("data/b/0.png", "data/b/1.png")
    let named = Mutex<[String]>([])
    let whole = try open("\(root)/data").withoutDamaged { error in
      named.withLock { $0.append((error as? Damage)?.path ?? "") }
    }
    #expect(named.withLock { $0 } == (0..<10).map { "\(root)/data/a/\(100 + 10 * $0).png" })
    #expect(whole.summary == "92 pictures in 2 classes; left out: 10 damaged")
    for index in 0..<whole.count { _ = try whole.input(index) }

    _ = try folder.get().write("data/c/0.png", [0])
    let error = #expect(throws: FolderDataset.Failure.self) {
      try open("\(root)/data").withoutDamaged { _ in }
    }
    #expect(error?.description.contains("data/c holds no pictures") == true)
    #expect(error?.description.contains("11 damaged") == true)
    _ = try folder.get().write("data/d/0.txt", [0])
    let other = #expect(throws: FolderDataset.Failure.self) { try open("\(root)/data") }
    #expect(other?.description.hasSuffix("left out: 1 .txt") == true)
  }

  @Test("a link to nothing among the classes is named, and one class may be enough")
  func classes() throws {
    let root = try folder.get().path
    try picture("data/a/0.png")
    #expect(try open("\(root)/data", minimumClasses: 1).classNames == ["a"])
    try link("data/b", to: "../nowhere")
    let error = #expect(throws: FolderDataset.Failure.self) { try open("\(root)/data") }
    #expect(error == .unreadable(path: "\(root)/data/b", reason: "it is a link to nothing"))
  }

  @Test("a relabelled data set has the classes' places in a longer list")
  func relabelled() throws {
    let base = TensorDataset(inputs: .arange(3), labels: [0, 1, 1], classNames: ["cat", "dog"])
    let data = RelabeledDataset(base, classes: [2, 0], classNames: ["dog", "car", "cat"])
    #expect((0..<3).map(data.label) == [2, 0, 0] && data.classNames.count == 3)
    #expect(try data.input(2).item() == 2)
  }

  @Test("a confusion matrix counts by class")
  func confusion() {
    var matrix = ConfusionMatrix(classNames: ["a", "b", "c", "d"])
    for (label, predicted) in [(0, 0), (0, 0), (0, 3), (2, 0), (2, 0), (2, 2)] {
      matrix.add(class: label, predicted: predicted)
    }
    #expect(matrix.count == 6 && matrix.correct == 3 && matrix.accuracy == 0.5)
    #expect(matrix.present == [0, 2] && matrix.occurring == [0, 2, 3])
    #expect(matrix[2, 0] == 2 && matrix[1, 1] == 0 && matrix.count(of: 2) == 3 && matrix.correct(of: 0) == 2)
    #expect(matrix.confusions.map(\.count) == [2, 1] && matrix.confusions[0].label == 2)
  }
}
