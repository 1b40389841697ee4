import AviaryTensors
import AviaryTraining
import CZlib
import Foundation
import Testing

/// A folder that is removed when the test is over.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    try FileManager.default.createDirectory(
      atPath: URL(filePath: file).deletingLastPathComponent().path, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(filePath: file))
    return file
  }

  /// `bytes` compressed by gzip.
  func writeCompressed(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = path + "/" + name
    let stream = gzopen(file, "wb")
    gzwrite(stream, bytes, UInt32(bytes.count))
    gzclose(stream)
    return file
  }
}

/// An IDX file of unsigned bytes.
private func idx(_ shape: [UInt8], _ bytes: [UInt8], type: UInt8 = 8) -> [UInt8] {
  [0, 0, type, UInt8(shape.count)] + shape.flatMap { [0, 0, 0, $0] } + bytes
}

@Suite("IDX files and MNIST")
struct IDXTests {
  let folder = Result { try TemporaryFolder() }

  private func reason(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("plain and compressed files are read")
  func reads() throws {
    let folder = try folder.get()
    let bytes = (0..<24).map { UInt8($0) }
    for path in [
      try folder.write("plain", idx([2, 3, 4], bytes)),
      try folder.writeCompressed("packed.gz", idx([2, 3, 4], bytes)),
    ] {
      let (shape, values) = try IDX.read(path)
      #expect(shape == [2, 3, 4])
      #expect(values == bytes)
    }
  }

  @Test("damaged files are named with what is wrong")
  func damaged() throws {
    let folder = try folder.get()
    let good = idx([100], (0..<100).map { UInt8($0 * 37 % 251) })
    let packed = try folder.writeCompressed("packed.gz", good)
    let whole = [UInt8](try Data(contentsOf: URL(filePath: packed)))
    var flipped = whole
    flipped[whole.count / 2] ^= 0xFF
    let cases: [(name: String, bytes: [UInt8], says: String)] = [
      ("truncated.gz", whole.dropLast(20), "gzip stream is"), ("corrupted.gz", flipped, "gzip stream is"),
      ("empty", [], "two zero bytes"), ("text", Array("hello, world".utf8), "two zero bytes"),
      ("floats", idx([1], [0], type: 13), "type 13"), ("rankless", [0, 0, 8, 0], "0 axes"),
      ("header", [0, 0, 8, 3, 0, 0], "3 axes"), ("short", good.dropLast(), "truncated"),
      ("long", good + [0], "100"), ("hollow", idx([0], []), "truncated or damaged"),
      // Extents whose product wraps around to the number of bytes that follow.
      (
        "wrapped", [0, 0, 8, 4] + (0..<4).flatMap { _ in [UInt8(0x80), 0, 0, 0] }, "truncated or damaged"
      ),
    ]
    for (name, bytes, says) in cases {
      let path = try folder.write(name, Array(bytes))
      let message = reason { _ = try IDX.read(path) }
      #expect(message?.contains(path) == true, "\(name): \(message ?? "read")")
      #expect(message?.contains(says) == true, "\(name): \(message ?? "read")")
    }
    let missing = folder.path + "/missing"
    #expect(reason { _ = try IDX.read(missing) }?.contains("cannot be opened") == true)
  }

  @Test("pictures and labels must belong together")
  func mismatch() throws {
    let folder = try folder.get()
    let images = try folder.write("images", idx([2, 2, 2], [0, 51, 255, 0, 1, 2, 3, 4]))
    let three = try folder.write("three", idx([3], [1, 2, 3]))
    let eleven = try folder.write("eleven", idx([2], [1, 11]))
    let labels = try folder.write("labels", idx([2], [7, 3]))
    #expect(reason { _ = try MNIST(images: images, labels: three) }?.contains("do not belong") == true)
    #expect(reason { _ = try MNIST(images: labels, labels: labels) }?.contains("do not belong") == true)
    #expect(reason { _ = try MNIST(images: images, labels: eleven) }?.contains("not a digit") == true)
    let digits = try MNIST(images: images, labels: labels)
    #expect(digits.count == 2 && digits.label(0) == 7 && digits.classNames.count == 10)
    #expect(digits.input(0).shape == [1, 2, 2])
    #expect(digits.input(0).values() == [0, 0.2, 1, 0])
    #expect(try digits.batch([1, 0]).labels.values(of: Int64.self) == [3, 7])
  }

  @Test(
    "the real database: 60 000 and 10 000 digits, the first ones 5 and 7",
    .enabled(if: ProcessInfo.processInfo.environment["AVIARY_ASSETS"] != nil))
  func database() throws {
    let assets = try #require(ProcessInfo.processInfo.environment["AVIARY_ASSETS"])
    let training = try MNIST(folder: assets + "/data/mnist", isTraining: true)
    let test = try MNIST(folder: assets + "/data/mnist", isTraining: false)
    #expect(training.count == 60_000 && test.count == 10_000)
    #expect(training.label(0) == 5 && test.label(0) == 7)
    #expect(training.input(0).shape == [1, 28, 28])
    // The published mean of the training pictures is 0.1307.
    let pixels = try IDX.read(assets + "/data/mnist/train-images-idx3-ubyte.gz").bytes
    let mean = Double(pixels.reduce(0) { $0 + Int($1) }) / Double(pixels.count) / 255
    #expect(abs(mean - 0.1307) < 5e-5)
  }
}

@Suite("Folders of pictures, and parts of data sets")
struct DatasetTests {
  private func open(_ path: String) throws(FolderDataset.Failure) -> FolderDataset {
    try FolderDataset(path) { path in Tensor(Float(path.utf8.count)) }
  }

  @Test("missing, too few and empty class folders are named")
  func folderErrors() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path + "/missing"
    #expect(throws: FolderDataset.Failure.missing(missing)) { try open(missing) }
    let file = try folder.write("file.png", [0])
    #expect(throws: FolderDataset.Failure.missing(file)) { try open(file) }
    #expect(throws: FolderDataset.Failure.tooFewClasses(path: folder.path, found: [], needed: 2)) {
      try open(folder.path)
    }
    _ = try folder.write("cats/a.png", [0])
    #expect(throws: FolderDataset.Failure.tooFewClasses(path: folder.path, found: ["cats"], needed: 2)) {
      try open(folder.path)
    }
    _ = try folder.write("dogs/notes.txt", [0])
    do {
      _ = try open(folder.path)
      Issue.record("a class without pictures was accepted")
    } catch {
      #expect("\(error)".contains("dogs") && "\(error)".contains("no pictures"))
    }
  }

  @Test("classes and pictures are sorted by name; other files and hidden ones do not count")
  func folders() throws {
    let folder = try TemporaryFolder()
    for name in ["b/2.JPG", "b/1.png", "a/x.jpeg", "a/x.txt", "a/.hidden.png"] {
      _ = try folder.write(name, [0])
    }
    let data = try open(folder.path)
    #expect(data.classNames == ["a", "b"])
    #expect((0..<data.count).map(data.label) == [0, 1, 1])
  }

  @Test("a split keeps every class on both sides, loses nothing, and repeats with the seed")
  func split() throws {
    let labels = (0..<100).map { $0 < 90 ? 0 : $0 < 98 ? 1 : 2 }
    let data = TensorDataset(inputs: .arange(100), labels: labels, classNames: ["a", "b", "c"])
    let (training, validation) = data.split(validation: 0.2, seed: 1)
    func numbers(_ part: Subset) throws -> [Float] { try (0..<part.count).map { try part.input($0).item() } }
    #expect(try (numbers(training) + numbers(validation)).sorted() == (0..<100).map(Float.init))
    for part in [training, validation] { #expect(Set((0..<part.count).map(part.label)) == [0, 1, 2]) }
    #expect((0..<validation.count).filter { validation.label($0) == 0 }.count == 18)
    #expect(try numbers(data.split(validation: 0.2, seed: 1).validation) == numbers(validation))
    #expect(try numbers(data.split(validation: 0.2, seed: 2).validation) != numbers(validation))
    // One example of a class cannot be on both sides: it is trained on.
    let lonely = TensorDataset(inputs: .arange(3), labels: [0, 0, 1], classNames: ["a", "b"])
    let parts = lonely.split(validation: 0.5)
    #expect(parts.training.count == 2 && parts.validation.count == 1)
    #expect(data.split(validation: 0).validation.count == 0)
  }
}

@Suite("CIFAR-10")
struct CIFAR10Tests {
  private func record(_ label: UInt8, _ red: UInt8, _ green: UInt8, _ blue: UInt8) -> [UInt8] {
    [label] + [red, green, blue].flatMap { [UInt8](repeating: $0, count: 1024) }
  }

  @Test("plain and compressed files are read in order and normalised per channel")
  func reading() throws {
    let folder = try TemporaryFolder()
    let first = try folder.write("a.bin", record(3, 255, 0, 51) + record(9, 0, 0, 0))
    let second = try folder.writeCompressed("b.bin.gz", record(0, 51, 51, 51))
    let data = try CIFAR10(files: [first, second], mean: [0.5, 0, 0.2], std: [0.5, 1, 2])
    #expect(data.count == 3)
    #expect((0..<3).map(data.label) == [3, 9, 0])
    let values = data.input(0).values()
    #expect(data.input(0).shape == [3, 32, 32])
    #expect(values[0] == 1 && values[1024] == 0 && abs(values[2048]) < 1e-6)
    #expect(abs(data.input(2).values()[3071]) < 1e-6)
  }

  @Test("damaged files are refused by name")
  func damage() throws {
    let folder = try TemporaryFolder()
    let cut = try folder.write("cut.bin", Array(record(3, 1, 2, 3).dropLast()))
    #expect(throws: DataFile.Failure.self) { try CIFAR10(files: [cut]) }
    let label = try folder.write("label.bin", record(10, 1, 2, 3))
    let error = #expect(throws: DataFile.Failure.self) { try CIFAR10(files: [label]) }
    #expect(error?.description.contains("the label 10 of example 0") == true)
    #expect(throws: DataFile.Failure.self) { try CIFAR10(files: [folder.path + "/none.bin"]) }
  }
}
