import AviaryTensors
import AviaryVision
import Foundation

/// Pictures with objects and captions in COCO's format (Lin et al. 2014, "Microsoft COCO: Common Objects in Context").
///
/// What does not fit together is left out and counted: ``leftOut``. Masks are filled when a picture is asked for.
public struct COCO: AnnotatedPictures {
  /// What objects are numbered by.
  public enum Numbering: String, Sendable, Hashable, Codable {
    /// From 0, in the order of the categories' identifiers.
    case consecutive
    /// By the identifiers themselves, which have gaps: those classes are called `N/A`.
    case identifiers
  }

  private struct Object {
    let id: Int
    let box: Box
    let label: Int
    let area: Double?
    let isCrowd: Bool
    let segmentation: COCODocument.Segmentation?
  }

  private struct Entry {
    let file: String
    let width: Int
    let height: Int
    var objects: [Object] = []
    var captions: [String] = []
  }

  private var entries: [Entry] = []
  public private(set) var classNames: [String] = []
  /// What of the files was not taken.
  public private(set) var leftOut = LeftOut()

  /// Reads a file of objects (`instances_….json`), one of captions (`captions_….json`), or both, about the pictures of a folder, which are
  /// taken in the order of their identifiers. A picture without objects stays: it shows what is none.
  public init(
    instances: String? = nil, captions: String? = nil, pictures folder: String,
    numbering: Numbering = .consecutive
  ) throws(DataFile.Failure) {
    require(instances != nil || captions != nil, "a file of objects or one of captions is needed")
    var builder = Builder(folder: folder)
    if let instances {
      let document = try COCODocument.read(instances)
      guard let categories = document.categories else {
        throw DataFile.Failure(
          path: instances, reason: "no COCO file of objects: there are no \"categories\"")
      }
      let labels = try Self.labels(of: categories, numbering, file: instances)
      classNames = labels.names
      builder.add(document.images)
      builder.addObjects(document.annotations, labels: labels.byIdentifier)
    }
    if let captions {
      let document = try COCODocument.read(captions)
      builder.add(document.images)
      builder.addCaptions(document.annotations)
    }
    leftOut = builder.leftOut
    entries = builder.entries.sorted { $0.key < $1.key }.map(\.value)
  }

  private static func labels(
    of categories: [COCODocument.Category], _ numbering: Numbering, file: String
  ) throws(DataFile.Failure) -> (names: [String], byIdentifier: [Int: Int]) {
    let sorted = categories.sorted { $0.id < $1.id }
    if let twice = zip(sorted, sorted.dropFirst()).first(where: { $0.0.id == $0.1.id }) {
      throw DataFile.Failure(path: file, reason: "two categories have the identifier \(twice.0.id)")
    }
    guard numbering == .identifiers else {
      return (
        sorted.map(\.name), Dictionary(uniqueKeysWithValues: sorted.enumerated().map { ($1.id, $0) })
      )
    }
    let last = sorted.last?.id ?? -1
    guard (sorted.first?.id ?? 0) >= 0, last < 100_000 else {
      throw DataFile.Failure(
        path: file, reason: "categories \(sorted[0].id) to \(last) cannot number classes, which begin at 0")
    }
    var names = [String](repeating: "N/A", count: last + 1)
    for category in sorted { names[category.id] = category.name }
    return (names, Dictionary(uniqueKeysWithValues: sorted.map { ($0.id, $0.id) }))
  }

  public var count: Int { entries.count }
  public func knownLabel(_ index: Int) -> Int? { nil }

  /// `24 pictures with 77 objects in 80 classes; left out: 2 without a file`
  public var summary: String {
    let objects = entries.reduce(0) { $0 + $1.objects.count }
    let captions = entries.reduce(0) { $0 + $1.captions.count }
    return "\(count) pictures"
      + (classNames.isEmpty ? "" : " with \(objects) objects in \(classNames.count) classes")
      + (captions == 0 ? "" : ", \(captions) captions") + (leftOut.isEmpty ? "" : "; left out: \(leftOut)")
  }

  /// The file of a picture.
  public func file(_ index: Int) -> String { entries[index].file }

  /// The areas of a picture's objects as its annotations say them, in square pixels, in the order of its instances.
  public func areas(_ index: Int) -> [Double?] { entries[index].objects.map(\.area) }

  /// One picture, its objects with masks where they have some, its captions, and the class of each pixel: 0 where no object is, an object's
  /// class plus 1; what several objects share, or a crowd has, counts for none (``LabelMap/ignored``), as in torchvision's reference.
  public func picture(_ index: Int) throws -> AnnotatedPicture {
    let entry = entries[index]
    let image = try Image(contentsOf: entry.file)
    guard image.width == entry.width, image.height == entry.height else {
      throw DataFile.Failure(
        path: entry.file,
        reason: "\(image.width)×\(image.height) pixels, annotated as \(entry.width)×\(entry.height)")
    }
    let instances = try entry.objects.map { object in
      Instance(
        box: object.box, labelIndex: object.label, isCrowd: object.isCrowd,
        mask: try object.segmentation.map { try mask($0, of: object, in: entry) })
    }
    return AnnotatedPicture(
      image: image, instances: instances, labelMap: labelMap(instances, in: entry), captions: entry.captions)
  }

  private func mask(
    _ segmentation: COCODocument.Segmentation, of object: Object, in entry: Entry
  ) throws(DataFile.Failure) -> Mask {
    let (width, height) = (entry.width, entry.height)
    func failure(_ reason: String) -> DataFile.Failure {
      DataFile.Failure(path: entry.file, reason: "the mask of annotation \(object.id): \(reason)")
    }
    if case .runLengths(_, let h, let w) = segmentation, (w, h) != (width, height) {
      throw failure("\(w)×\(h) pixels in a picture of \(width)×\(height)")
    }
    if case .compressed(_, let h, let w) = segmentation, (w, h) != (width, height) {
      throw failure("\(w)×\(h) pixels in a picture of \(width)×\(height)")
    }
    do throws(MaskError) {
      return switch segmentation {
      case .polygons(let polygons): try Mask(polygons: polygons, width: width, height: height)
      case .runLengths(let runs, _, _): try Mask(runLengths: runs, width: width, height: height)
      case .compressed(let text, _, _):
        try Mask(compressedRunLengths: text, width: width, height: height)
      }
    } catch {
      throw failure(error.description)
    }
  }

  /// Nil where objects are known by their boxes alone, or their classes are too many for a byte.
  private func labelMap(_ instances: [Instance], in entry: Entry) -> LabelMap? {
    guard !classNames.isEmpty, classNames.count < 255, instances.allSatisfy({ $0.mask != nil }) else {
      return nil
    }
    var labels = [UInt8](repeating: 0, count: entry.width * entry.height)
    for instance in instances {
      let label = instance.isCrowd ? LabelMap.ignored : UInt8(instance.labelIndex + 1)
      for (place, isInside) in instance.mask!.pixels.enumerated() where isInside {
        labels[place] = labels[place] == 0 ? label : LabelMap.ignored
      }
    }
    return LabelMap(width: entry.width, height: entry.height, labels: labels)
  }

  /// Puts annotations to their pictures.
  private struct Builder {
    let folder: String
    var entries: [Int: Entry] = [:]
    var leftOut = LeftOut()
    /// Pictures that were left out, whose annotations need not be counted one by one.
    private var missing: Set<Int> = []

    init(folder: String) { self.folder = folder }

    mutating func add(_ pictures: [COCODocument.Picture]) {
      var seen: Set<Int> = []
      for picture in pictures {
        guard seen.insert(picture.id).inserted else {
          leftOut.add(.repeatedIdentifier)
          continue
        }
        // Two files about one picture name it twice.
        if entries[picture.id] != nil || missing.contains(picture.id) { continue }
        let file = "\(folder)/\(picture.fileName)"
        let parts = picture.fileName.split(separator: "/", omittingEmptySubsequences: false)
        let isInside = !picture.fileName.utf8.contains(0) && !parts.contains("..") && parts.first != ""
        guard isInside, picture.width > 0, picture.height > 0, case .file = FileKind.of(file) else {
          leftOut.add(.noFile)
          missing.insert(picture.id)
          continue
        }
        entries[picture.id] = Entry(file: file, width: picture.width, height: picture.height)
      }
    }

    /// Whether an annotation's picture is there.
    private mutating func hasPicture(_ annotation: COCODocument.Annotation) -> Bool {
      if entries[annotation.imageID] != nil { return true }
      leftOut.add(.noPicture)
      return false
    }

    mutating func addObjects(_ annotations: [COCODocument.Annotation], labels: [Int: Int]) {
      for annotation in annotations where hasPicture(annotation) {
        guard let label = annotation.categoryID.flatMap({ labels[$0] }) else {
          leftOut.add(.unknownCategory)
          continue
        }
        let entry = entries[annotation.imageID]!
        guard
          let box = Box(coco: (annotation.bbox ?? []).map { Float($0) })?
            .clipped(width: entry.width, height: entry.height), box.width > 0, box.height > 0
        else {
          leftOut.add(.degenerateBox)
          continue
        }
        entries[annotation.imageID]!.objects.append(
          Object(
            id: annotation.id, box: box, label: label, area: annotation.area,
            isCrowd: (annotation.iscrowd ?? 0) != 0,
            segmentation: usable(annotation.segmentation)))
      }
    }

    /// Without what is no polygon; nil where nothing is left, so that the object has its box alone.
    private mutating func usable(_ segmentation: COCODocument.Segmentation?) -> COCODocument.Segmentation? {
      guard case .polygons(let polygons)? = segmentation else { return segmentation }
      let usable = polygons.filter { $0.count >= 6 && $0.count % 2 == 0 }
      leftOut.add(.degeneratePolygon, polygons.count - usable.count)
      return usable.isEmpty ? nil : .polygons(usable)
    }

    mutating func addCaptions(_ annotations: [COCODocument.Annotation]) {
      for annotation in annotations where hasPicture(annotation) {
        guard let caption = annotation.caption else {
          leftOut.add(.noCaption)
          continue
        }
        entries[annotation.imageID]!.captions.append(caption)
      }
    }
  }
}
