import AviaryTensors
import AviaryVision
import Foundation
import Testing

@Suite("Pictures that the library draws, with all that is in them")
struct SceneTests {
  private let generator = SceneGenerator(width: 64, height: 48)

  @Test("picture i of a seed is the same in any order and on any thread; other numbers and seeds are others")
  func determinism() async {
    let forwards = (0..<12).map { generator.picture($0, seed: 3) }
    #expect((0..<12).reversed().map { generator.picture($0, seed: 3) } == forwards.reversed())
    let apart = await withTaskGroup(of: (Int, AnnotatedPicture).self) { group in
      for index in 0..<12 { group.addTask { (index, generator.picture(index, seed: 3)) } }
      return await group.reduce(into: [Int: AnnotatedPicture]()) { $0[$1.0] = $1.1 }
    }
    #expect((0..<12).map { apart[$0]! } == forwards)
    #expect(Set(forwards.map(\.image)).count == 12)
    #expect(generator.picture(0, seed: 4).image != forwards[0].image)
  }

  @Test("masks do not overlap, boxes are tight, labels and masks agree, nothing seen is unmarked")
  func exactness() {
    for index in 0..<100 {
      let picture = generator.picture(index)
      #expect((1...5).contains(picture.instances.count))
      var labels = [UInt8](repeating: 0, count: 64 * 48)
      for instance in picture.instances {
        #expect(instance.mask?.box == instance.box)
        for (place, isInside) in instance.mask!.pixels.enumerated() where isInside {
          #expect(labels[place] == 0)
          labels[place] = UInt8(instance.labelIndex + 1)
        }
      }
      #expect(labels == picture.labelMap?.labels)
      // Backgrounds are dark: at most 60 plus noise of 30.
      for (place, label) in labels.enumerated() where label == 0 {
        #expect(picture.image.pixels[3 * place..<3 * place + 3].allSatisfy { $0 <= 90 })
      }
    }
  }

  @Test("objects cover each other, but a share of each is seen")
  func occlusion() {
    var crowded = generator
    crowded.objectCount = 8...8
    crowded.shapes = [.circle]
    crowded.radius = 0.25...0.25
    var hidden = 0
    for index in 0..<30 {
      for instance in crowded.picture(index).instances {
        let share = Float(instance.mask!.area) / (Float.pi * 12 * 12)
        #expect(share >= 0.28)
        if share < 0.9 { hidden += 1 }
      }
    }
    #expect(hidden > 30)
  }

  @Test(
    "classes are known without drawing, about equally frequent, and named",
    arguments: [
      SceneGenerator.Classes.shape, .colour, .colourAndShape,
    ])
  func classes(_ classes: SceneGenerator.Classes) {
    let singles = SceneGenerator.singles(classes: classes)
    var counts = [Int](repeating: 0, count: singles.classNames.count)
    for index in 0..<2000 { counts[singles.label(index)!] += 1 }
    let mean = 2000 / counts.count
    #expect(counts.allSatisfy { $0 > mean / 3 && $0 < 3 * mean })
    for index in 0..<20 {
      let picture = singles.picture(index)
      #expect(
        picture.label == singles.label(index) && picture.instances.map(\.labelIndex) == [picture.label!])
      let name = singles.classNames[picture.label!].split(separator: " ")
      #expect(name.allSatisfy { picture.captions[0].split(separator: " ").contains($0) })
    }
    #expect(generator.label(0) == nil)
  }

  @Test("captions name the objects, and where the largest lies from the next")
  func captions() throws {
    var pairs = generator
    pairs.objectCount = 2...2
    for index in 0..<50 {
      let picture = pairs.picture(index)
      let caption = picture.captions[0]
      guard picture.instances.count == 2 else { continue }
      let sorted = picture.instances.sorted { $0.mask!.area > $1.mask!.area }
      let (a, b) = (sorted[0].box, sorted[1].box)
      if caption.contains("left of") { #expect(a.x1 + a.x2 <= b.x1 + b.x2) }
      if caption.contains("right of") { #expect(a.x1 + a.x2 >= b.x1 + b.x2) }
      if caption.contains("above") { #expect(a.y1 + a.y2 <= b.y1 + b.y2) }
      if caption.contains("below") { #expect(a.y1 + a.y2 >= b.y1 + b.y2) }
      #expect(caption.contains(pairs.classNames[sorted[0].labelIndex]))
    }
    #expect(!generator.picture(0).captions[0].contains("a orange"))
  }

  @Test("hundreds of pictures of 64×64 a second on one core")
  func speed() {
    let square = SceneGenerator()
    let duration = ContinuousClock().measure { for index in 0..<300 { _ = square.picture(index) } }.components
    let rate = 300 / (Double(duration.seconds) + Double(duration.attoseconds) * 1e-18)
    print("scenes of 64×64: \(Int(rate)) a second")
    #expect(rate > 500)
  }
}
