import Aviary

/// A look at all pictures before a long run, which no picture shall end.
enum PictureSurvey {
  /// How many pictures are named that cannot be learned from; all are counted.
  private static let mostNamed = 20

  /// The pictures that can be learned from. Says on stderr which cannot, and why.
  ///
  /// - Parameter look: counts what a picture has, and throws where it cannot be learned from.
  /// - Throws: ``UsageError`` when there is none.
  static func usable(
    _ pictures: any AnnotatedPictures, of data: String, look: (AnnotatedPicture) throws -> Void
  ) throws -> SomePictures {
    let bar = ProgressBar()
    defer { bar.finish() }
    var usable: [Int] = []
    for index in 0..<pictures.count {
      do {
        try look(try pictures.picture(index))
        usable.append(index)
      } catch {
        let leftOut = index + 1 - usable.count
        bar.finish()
        if leftOut <= mostNamed { Console.printError("left out: \(error)") }
      }
      bar.update("look", done: index + 1, total: pictures.count)
    }
    bar.finish()
    guard !usable.isEmpty else {
      throw UsageError("none of the \(pictures.count) pictures of \(data) can be learned from")
    }
    if usable.count < pictures.count {
      Console.printError(
        "\(data): \(pictures.count - usable.count) of \(pictures.count) pictures are left out")
    }
    return SomePictures(pictures, usable)
  }
}

/// A picture that nothing can be learned from.
struct UnusablePicture: Error, CustomStringConvertible {
  let description: String
}

/// The sizes of pictures, as a network gets them.
struct PictureSizes {
  private var all: Set<[Int]> = []

  /// Throws ``UnusablePicture`` for a picture that would take more memory than any that a network is shown.
  mutating func add(_ size: (width: Int, height: Int)) throws(UnusablePicture) {
    let (pixels, overflow) = size.width.multipliedReportingOverflow(by: size.height)
    guard !overflow, pixels <= PictureInput.mostPixels else {
      throw UnusablePicture(
        description:
          "a picture of \(size.width)×\(size.height) pixels as the network gets it: \(PictureInput.mostPixels) pixels at most"
      )
    }
    all.insert([size.width, size.height])
  }

  /// The shortest of all sides.
  var shortest: Int { all.flatMap(\.self).min() ?? 1 }

  /// What becomes of pictures that differ, in words; nil where they are of one size.
  var text: String? {
    guard all.count > 1 else { return nil }
    func range(_ axis: Int) -> String {
      let sides = all.map { $0[axis] }
      return "\(sides.min() ?? 0) to \(sides.max() ?? 0)"
    }
    return
      "pictures \(range(0)) wide and \(range(1)) high: those of a batch are filled up to the largest, and what is added is of no class"
  }
}
