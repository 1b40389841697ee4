import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation
import Testing

@Suite("COCO's files of objects and captions")
struct COCOTests {
  private let folder = Result { try TemporaryFolder() }

  /// A folder with pictures `a.png` and `b.png` of 6×4 pixels.
  private func pictures() throws -> String {
    let folder = try folder.get()
    for (name, value) in [("a", 100), ("b", 200)] {
      try Image(width: 6, height: 4, model: .rgb, pixels: [UInt8](repeating: UInt8(value), count: 72))
        .write(to: folder.path + "/\(name).png")
    }
    return folder.path
  }

  private func write(_ text: String) throws -> String {
    try folder.get().write("file.json", Array(text.utf8))
  }

  private static let images = """
    "images": [{"id": 7, "file_name": "b.png", "width": 6, "height": 4, "license": 3},
      {"id": 2, "file_name": "a.png", "width": 6, "height": 4}]
    """
  private static let categories = """
    "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat", "supercategory": "animal"}]
    """

  private func objects(_ annotations: String, images: String = images) throws -> COCO {
    let file = try write(
      "{\(images), \"annotations\": [\(annotations)], \(Self.categories), \"info\": {\"x\": [1]}}")
    return try COCO(instances: file, pictures: pictures())
  }

  @Test("objects with polygons, runs and crowds become boxes, masks and labels")
  func reading() throws {
    let data = try objects(
      """
      {"id": 1, "image_id": 2, "category_id": 9, "bbox": [1, 1, 3, 2], "iscrowd": 0, "area": 6.0,
       "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]},
      {"id": 2, "image_id": 2, "category_id": 3, "bbox": [0, 0, 1, 4], "iscrowd": 1,
       "segmentation": {"size": [4, 6], "counts": [0, 4, 20]}},
      {"id": 3, "image_id": 7, "category_id": 3, "bbox": [-1, -1, 3.5, 2]}
      """)
    #expect(data.count == 2 && data.classNames == ["cat", "dog"] && data.leftOut.isEmpty)
    #expect(data.summary == "2 pictures with 3 objects in 2 classes")
    let first = try data.picture(0)
    #expect(first.image.pixels[0] == 100)
    #expect(first.instances.map(\.labelIndex) == [1, 0] && first.instances.map(\.isCrowd) == [false, true])
    #expect(first.instances[0].mask?.area == 6 && first.instances[0].mask?.box == first.instances[0].box)
    #expect(first.instances[1].mask?.area == 4)
    #expect(
      first.labelMap?[1, 1] == 2 && first.labelMap?[0, 0] == LabelMap.ignored && first.labelMap?[5, 3] == 0)
    let second = try data.picture(1)
    #expect(second.instances == [Instance(box: Box(x1: 0, y1: 0, x2: 2.5, y2: 1), labelIndex: 0)])
    #expect(second.labelMap == nil)
    let file = try folder.get().path + "/file.json"
    let numbered = try COCO(instances: file, pictures: pictures(), numbering: .identifiers)
    #expect(numbered.classNames == ["N/A", "N/A", "N/A", "cat", "N/A", "N/A", "N/A", "N/A", "N/A", "dog"])
    #expect(try numbered.picture(0).instances[0].labelIndex == 9)
  }

  @Test("captions join their pictures, with objects or without")
  func captions() throws {
    let file = try write(
      "{\(Self.images), \"annotations\": [{\"id\": 1, \"image_id\": 2, \"caption\": \"a dog\"}, "
        + "{\"id\": 2, \"image_id\": 2, \"caption\": \"an animal\"}, {\"id\": 3, \"image_id\": 7}, "
        + "{\"id\": 4, \"image_id\": 8, \"caption\": \"?\"}]}")
    let data = try COCO(captions: file, pictures: pictures())
    #expect(try data.picture(0).captions == ["a dog", "an animal"])
    #expect(data.summary.contains("2 captions"))
    #expect(data.leftOut.counts == [.noCaption: 1, .noPicture: 1])
    let batches = AugmentedPictures<CaptionBatch>(data, preprocessing: Preprocessing())
    #expect(try batches.batch([0]).captions == [["a dog", "an animal"]])
    #expect(throws: MissingAnnotation(example: 1, what: "caption")) { try batches.batch([1]) }
  }

  @Test("what does not fit together is left out and counted")
  func leftOut() throws {
    let data = try objects(
      """
      {"id": 1, "image_id": 99, "category_id": 9, "bbox": [1, 1, 3, 2]},
      {"id": 2, "image_id": 2, "category_id": 4, "bbox": [1, 1, 3, 2]},
      {"id": 3, "image_id": 2, "bbox": [1, 1, 3, 2]},
      {"id": 4, "image_id": 2, "category_id": 9, "bbox": [1, 1, 0, 2]},
      {"id": 5, "image_id": 2, "category_id": 9, "bbox": [9, 1, 2, 2]},
      {"id": 6, "image_id": 2, "category_id": 9, "bbox": [1, 2]},
      {"id": 7, "image_id": 2, "category_id": 9, "bbox": [1, 1, 2, 2], "segmentation": [[1, 2, 3, 4]]},
      {"id": 8, "image_id": 3, "category_id": 9, "bbox": [1, 1, 2, 2]}
      """,
      images: """
        "images": [{"id": 2, "file_name": "a.png", "width": 6, "height": 4},
          {"id": 2, "file_name": "b.png", "width": 6, "height": 4},
          {"id": 3, "file_name": "missing.png", "width": 6, "height": 4},
          {"id": 4, "file_name": "../a.png", "width": 6, "height": 4},
          {"id": 5, "file_name": "/etc/passwd", "width": 6, "height": 4},
          {"id": 6, "file_name": "b.png", "width": 0, "height": 4}]
        """)
    #expect(data.count == 1)
    #expect(try data.picture(0).instances.count == 1)
    #expect(
      data.leftOut.counts == [
        .noPicture: 2, .unknownCategory: 2, .degenerateBox: 3, .degeneratePolygon: 1, .noFile: 4,
        .repeatedIdentifier: 1,
      ])
    #expect(data.summary.contains("; left out: 2 annotations without a picture"))
  }

  @Test(
    "damaged files are refused with the place",
    arguments: [
      ("", "no COCO file"), ("{", "no COCO file"), ("[]", "no COCO file"), ("{}", "images"),
      ("{\"images\": [], \"annotations\": []}", "categories"),
      ("{\"images\": [{\"id\": 1}], \"annotations\": []}", ".images[0]"),
      (
        "{\"images\": [], \"annotations\": [{\"id\": 1, \"image_id\": 2, \"segmentation\": 5}], \"categories\": []}",
        ".annotations[0].segmentation"
      ),
      (
        "{\"images\": [], \"annotations\": [{\"id\": 1, \"image_id\": 2, \"segmentation\": {\"size\": [1], \"counts\": []}}]}",
        "1 numbers"
      ),
      ("{\"images\": [{\"id\": 1e99}], \"annotations\": []}", "no COCO file"),
      (
        "{\"images\": [], \"annotations\": [], \"categories\": [{\"id\": 1, \"name\": \"a\"}, {\"id\": 1, \"name\": \"b\"}]}",
        "two categories"
      ), (String(repeating: "[", count: 100_000), "no COCO file"),
    ])
  func damaged(_ text: String, _ says: String) throws {
    let file = try write(text)
    let error = #expect(throws: DataFile.Failure.self) { try COCO(instances: file, pictures: "/") }
    #expect(error?.path == file && error?.reason.contains(says) == true, "\(error?.reason ?? "")")
  }

  @Test("masks that do not fit and pictures of another size are named when they are asked for")
  func badPictures() throws {
    for segmentation in [
      "{\"size\": [4, 6], \"counts\": [25]}", "{\"size\": [4, 6], \"counts\": \"zz\"}",
      "{\"size\": [400000, 600000], \"counts\": [1]}", "[[0, 0, 1, 1, 1e30, 5]]",
    ] {
      let data = try objects(
        "{\"id\": 51, \"image_id\": 2, \"category_id\": 9, \"bbox\": [1, 1, 2, 2], \"segmentation\": \(segmentation)}"
      )
      let error = #expect(throws: DataFile.Failure.self) { try data.picture(0) }
      #expect(error?.path.hasSuffix("a.png") == true && error?.reason.contains("annotation 51") == true)
    }
    let data = try objects(
      "", images: "\"images\": [{\"id\": 2, \"file_name\": \"a.png\", \"width\": 4, \"height\": 6}]")
    let error = #expect(throws: DataFile.Failure.self) { try data.picture(0) }
    #expect(error?.reason == "6×4 pixels, annotated as 4×6")
  }

  private struct Digests: Decodable {
    struct Asset: Decodable {
      let id: Int
      let area: Int
      let digest: UInt32
    }
    let assets: [Asset]
  }

  @Test(
    "24 real pictures: 77 boxes, 76 masks that equal pycocotools' pixel by pixel",
    .enabled(if: ProcessInfo.processInfo.environment["AVIARY_ASSETS"] != nil))
  func assets() throws {
    let assets = try #require(ProcessInfo.processInfo.environment["AVIARY_ASSETS"])
    let data = try COCO(
      instances: assets + "/data/coco_sample/instances.json", pictures: assets + "/images/coco")
    #expect(data.count == 24 && data.classNames.count == 80 && data.leftOut.isEmpty)
    let pictures = try (0..<24).map(data.picture)
    #expect(pictures.reduce(0) { $0 + $1.instances.count } == 77)
    let masks = pictures.flatMap { $0.instances.compactMap(\.mask) }
    let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "AviaryVisionTests/Fixtures/masks.json")
    let expected = try JSONDecoder().decode(Digests.self, from: Data(contentsOf: fixture)).assets
    #expect(masks.count == 76 && masks.map(\.area).sorted() == expected.map(\.area).sorted())
    #expect(Set(masks.map { adler32($0.pixels.map { $0 ? 1 : 0 }) }) == Set(expected.map(\.digest)))
  }

  private func adler32(_ bytes: [UInt8]) -> UInt32 {
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in bytes {
      a = (a + UInt32(byte)) % 65521
      b = (b + a) % 65521
    }
    return b << 16 | a
  }

  @Test("drawn scenes written as COCO files are read again as they were")
  func written() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "scenes-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var generator = SceneGenerator(width: 40, height: 32)
    generator.objectCount = 0...4
    var writer = COCOWriter(classNames: generator.classNames)
    let scenes = (0..<12).map { generator.picture($0, seed: 3) }
    for (index, scene) in scenes.enumerated() {
      try scene.image.write(to: "\(folder)/\(index).png")
      writer.add(scene, file: "\(index).png")
    }
    let (instances, captions) = ("\(folder)/instances.json", "\(folder)/captions.json")
    try writer.write(instances: instances, captions: captions)
    let data = try COCO(instances: instances, captions: captions, pictures: folder)
    #expect(data.count == scenes.count && data.classNames == generator.classNames && data.leftOut.isEmpty)
    #expect(scenes.contains { $0.instances.isEmpty })
    for (index, scene) in scenes.enumerated() {
      let read = try data.picture(index)
      #expect(read.image == scene.image && read.instances == scene.instances)
      #expect(read.captions == scene.captions && read.labelMap == scene.labelMap)
    }
  }
}
