import AviaryTensors
import Foundation

/// Objects above each other: which one each pixel shows.
struct SceneLayers {
  private let width: Int
  private let height: Int
  private let minimumVisibility: Float
  /// From below upwards.
  private(set) var objects: [SceneObject] = []
  /// For each pixel the number of the object there, from 1; 0 where there is none.
  private var owners: [UInt8]
  /// Pixels that each object would have alone on an endless picture.
  private var areas: [Int] = []
  /// Pixels that can be seen of each.
  private var visibleAreas: [Int] = []

  init(width: Int, height: Int, minimumVisibility: Float) {
    self.width = width
    self.height = height
    self.minimumVisibility = minimumVisibility
    owners = [UInt8](repeating: 0, count: width * height)
  }

  /// Puts an object on top, unless it or one below could be seen too little then. The first one is always taken.
  @discardableResult
  mutating func place(_ object: SceneObject) -> Bool {
    var area = 0
    var places: [Int] = []
    object.forEachPixel { x, y, _, _ in
      area += 1
      if x >= 0 && x < width && y >= 0 && y < height { places.append(y * width + x) }
    }
    var remaining = visibleAreas
    for place in places where owners[place] > 0 { remaining[Int(owners[place]) - 1] -= 1 }
    func isSeen(_ visible: Int, of area: Int) -> Bool {
      visible > 0 && Float(visible) >= minimumVisibility * Float(area)
    }
    guard
      objects.isEmpty
        || isSeen(places.count, of: area)
          && zip(remaining, areas).allSatisfy({ isSeen($0, of: $1) })
    else { return false }
    objects.append(object)
    for place in places { owners[place] = UInt8(objects.count) }
    areas.append(area)
    visibleAreas = remaining + [places.count]
    return true
  }

  /// The objects, each with what can be seen of it.
  var visible: [(object: SceneObject, mask: Mask)] {
    objects.enumerated().map { index, object in
      let number = UInt8(index + 1)
      return (object, Mask(width: width, height: height, pixels: owners.map { $0 == number }))
    }
  }

  /// The classes of the pixels; 0 where there is no object.
  func labelMap(_ label: (SceneObject) -> UInt8) -> LabelMap {
    let labels = [0] + objects.map(label)
    return LabelMap(width: width, height: height, labels: owners.map { labels[Int($0)] })
  }

  /// The picture: the objects on a background that the generator draws.
  func painted(on background: SceneGenerator.Background, using generator: RandomGenerator) -> Image {
    func dark() -> SIMD3<Float> {
      SIMD3((0..<3).map { _ in generator.uniform(in: 10..<60) })
    }
    let (from, to) = (dark(), dark())
    let angle = 2 * Float.pi * generator.uniform()
    let (dx, dy) = (cosf(angle) / Float(width), sinf(angle) / Float(height))
    let noise = generator.bytes(width * height).map { Float($0) / 256 }
    var image = Image(width: width, height: height, model: .rgb) { target in
      for y in 0..<height {
        for x in 0..<width {
          let colour: SIMD3<Float> =
            switch background {
            case .plain: from
            case .gradient: from + (to - from) * min(max(0.5 + (Float(x) * dx + Float(y) * dy) / 2, 0), 1)
            case .noise: from + 40 * (noise[y * width + x] - 0.25)
            }
          for channel in 0..<3 {
            target[3 * (y * width + x) + channel] = UInt8(max(min(colour[channel], 255), 0))
          }
        }
      }
    }
    var pixels = image.pixels
    for (index, object) in objects.enumerated() {
      let colour = object.colour.colour
      let base = SIMD3(Float(colour.red), Float(colour.green), Float(colour.blue)) * object.brightness
      object.forEachPixel { x, y, u, v in
        guard x >= 0 && x < width && y >= 0 && y < height else { return }
        let place = y * width + x
        guard owners[place] == UInt8(index + 1) else { return }
        let value = base * object.texture.brightness(u, v, noise: noise[place])
        for channel in 0..<3 { pixels[3 * place + channel] = UInt8(min(value[channel], 255)) }
      }
    }
    image.pixels = pixels
    return image
  }
}

extension SceneObject {
  /// Calls `body` for each pixel whose centre the form contains, inside the picture or not, with the place in the form.
  fileprivate func forEachPixel(_ body: (_ x: Int, _ y: Int, _ u: Float, _ v: Float) -> Void) {
    let (sine, cosine) = (sinf(2 * .pi * turn) / radius, cosf(2 * .pi * turn) / radius)
    func range(_ middle: Float) -> ClosedRange<Int> {
      Int((middle - radius).rounded(.down))...Int((middle + radius).rounded(.up))
    }
    for row in range(y) {
      for column in range(x) {
        let (dx, dy) = (Float(column) + 0.5 - x, Float(row) + 0.5 - y)
        let (u, v) = (cosine * dx + sine * dy, cosine * dy - sine * dx)
        if shape.contains(u, v) { body(column, row, u, v) }
      }
    }
  }
}
