import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import Testing

@Suite("Annotated pictures")
struct AnnotatedDataTests {
  private let scenes = ScenePictures(SceneGenerator(width: 20, height: 12), count: 10)

  @Test("parts have every picture once, the last ones or drawn by a seed")
  func parts() throws {
    let parts = scenes.parts(validation: 0.25)
    #expect(parts.training.count == 8 && parts.validation.count == 2)
    #expect(try parts.validation.picture(1).image == scenes.picture(9).image)
    let (one, other) = (
      scenes.parts(validation: 0.5, shuffledBy: 3), scenes.parts(validation: 0.5, shuffledBy: 3)
    )
    let images = try (0..<5).map { try one.training.picture($0).image }
    #expect(try images == (0..<5).map { try other.training.picture($0).image })
    let rest = try (0..<5).map { try one.validation.picture($0).image }
    #expect(Set(images + rest) == Set((0..<10).map { scenes.picture($0).image }))
    #expect(images != (0..<5).map { scenes.picture($0).image })
  }

  @Test(
    "pictures of a batch are filled up with zeros to the largest and to a multiple, pixels there are of no class"
  )
  func filled() throws {
    struct Mixed: AnnotatedPictures {
      let all = [(20, 12), (9, 15)].map { ScenePictures(SceneGenerator(width: $0, height: $1), count: 1) }
      var count: Int { 2 }
      var classNames: [String] { all[0].classNames }
      func knownLabel(_ index: Int) -> Int? { nil }
      func picture(_ index: Int) throws -> AnnotatedPicture { all[index].picture(0) }
    }
    let values = Preprocessing(mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5])
    var data = AugmentedPictures<SegmentationBatch>(Mixed(), preprocessing: values)
    data.sizeMultiple = 8
    let batch = try data.batch([0, 1])
    #expect(batch.inputs.shape == [2, 3, 16, 24] && batch.labels.shape == [2, 16, 24])
    let (inputs, labels) = (batch.inputs.values(), batch.labels.values(of: Int64.self))
    for (number, size) in [(20, 12), (9, 15)].enumerated() {
      let own = values(try Mixed().picture(number).image).values()
      let map = try #require(try Mixed().picture(number).labelMap)
      for y in 0..<16 {
        for x in 0..<24 {
          let isInside = x < size.0 && y < size.1
          #expect(labels[(number * 16 + y) * 24 + x] == (isInside ? Int64(map[x, y]) : 255))
          #expect(inputs[(3 * number * 16 + y) * 24 + x] == (isInside ? own[y * size.0 + x] : 0))
        }
      }
    }
    let boxes = AugmentedPictures<DetectionBatch>(Mixed(), preprocessing: values)
    let objects = try boxes.batch([0, 1])
    #expect(objects.instances[0].map(\.box) == (try Mixed().picture(0).instances.map(\.box)))
    #expect(objects.instances.flatMap(\.self).allSatisfy { $0.mask?.width == 20 && $0.mask?.height == 15 })
  }

  private func withFolder(_ body: (_ path: String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "aviary-\(UUID().uuidString)").path
    for inner in ["images", "labels"] {
      try FileManager.default.createDirectory(atPath: "\(path)/\(inner)", withIntermediateDirectories: true)
    }
    defer { try? FileManager.default.removeItem(atPath: path) }
    for name in ["a", "b", "c"] {
      try scenes.picture(0).image.write(to: "\(path)/images/\(name).png")
    }
    try body(path)
  }

  private func write(_ text: String, _ path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  @Test("YOLO's texts: shares of the picture, names from three kinds of files, what fits nowhere counted")
  func yolo() throws {
    try withFolder { folder in
      try write("1 0.5 0.25 0.5 0.5\n0 0.95 0.5 0.2 1\n\n", "\(folder)/labels/a.txt")
      try write("0 0.5 0.5 0 0.5\n", "\(folder)/labels/b.txt")
      try write("0 0.5 0.5 0.5 0.5\n", "\(folder)/labels/z.txt")
      let plain = try YOLOLabels(folder)
      #expect(plain.classNames == ["class 0", "class 1"] && plain.count == 3)
      #expect(
        plain.summary
          == "3 pictures with 2 objects in 2 classes; left out: 1 annotations without a picture, 1 objects without a box"
      )
      let objects = try plain.picture(0).instances
      #expect(objects[0] == Instance(box: Box(x1: 5, y1: 0, x2: 15, y2: 6), labelIndex: 1))
      #expect(objects[1].box.x2 == 20 && objects[1].box.y1 == 0)
      #expect(try plain.picture(1).instances.isEmpty && plain.picture(2).instances.isEmpty)
      for (file, text) in [
        ("data.yaml", "train: x\nnames: ['cat', \"dog\"]\n"),
        ("data.yaml", "names:\n  0: cat\n  1: dog\nnc: 2\n"),
        ("data.yaml", "names:\n- cat\n- dog\n"), ("classes.txt", "cat\ndog\n"),
      ] {
        try write(text, "\(folder)/\(file)")
        #expect(try YOLOLabels(folder).classNames == ["cat", "dog"], "\(text)")
      }
    }
  }

  @Test(
    "lines that are none of an object are told with their file",
    arguments: [
      "0 0.5 0.5 0.5", "x 0.5 0.5 0.5 0.5", "0 0.5 0.5 0.5 1.5", "-1 0.5 0.5 0.5 0.5", "0 nan 0.5 0.5 0.5",
      "99999999999999999999 0.5 0.5 0.5 0.5", "0 0.1 0.1 0.2 0.2 0.3 0.3",
    ])
  func malformed(line: String) throws {
    try withFolder { folder in
      try write("0 0.5 0.5 0.5 0.5\n\(line)\n", "\(folder)/labels/a.txt")
      let error = #expect(throws: DataFile.Failure.self) { try YOLOLabels(folder) }
      #expect(error?.reason.hasPrefix("line 2 is '\(line)'") == true, "\(error?.reason ?? "")")
      try write("7 0.5 0.5 0.5 0.5\n", "\(folder)/labels/a.txt")
      try write("names: [cat]\n", "\(folder)/data.yaml")
      let few = #expect(throws: DataFile.Failure.self) { try YOLOLabels(folder) }
      #expect(few?.reason == "there is an object of class 7, and names for 1 classes")
    }
  }

  @Test("ten thousand objects of one picture are read; of one pixel they stay, without area they go")
  func manyObjects() throws {
    try withFolder { folder in
      let boxes = (0..<10_000).map { number -> String in
        let size = number % 100 == 0 ? "0,3" : number % 100 == 1 ? "1,1" : "4,3"
        return
          "{\"id\":\(number),\"image_id\":1,\"category_id\":3,\"iscrowd\":0,\"bbox\":[\(number % 16),\(number % 9),\(size)]}"
      }
      let text =
        "{\"images\":[{\"id\":1,\"file_name\":\"a.png\",\"width\":20,\"height\":12},{\"id\":2,\"file_name\":\"b.png\",\"width\":20,\"height\":12}],\"categories\":[{\"id\":3,\"name\":\"dot\"}],\"annotations\":[\(boxes.joined(separator: ","))]}"
      try write(text, "\(folder)/many.json")
      let data = try COCO(instances: "\(folder)/many.json", pictures: "\(folder)/images")
      #expect(data.leftOut.counts == [.degenerateBox: 100])
      let instances = try data.picture(0).instances
      #expect(instances.count == 9900 && instances.contains { $0.box.width == 1 && $0.box.height == 1 })
      #expect(try data.picture(1).instances.isEmpty)
    }
  }
}
