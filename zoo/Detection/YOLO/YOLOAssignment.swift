import AviaryTensors
import AviaryTraining
import AviaryVision
import Foundation

/// Which places of a network shall find which objects of a picture: those inside an object whose box and class fit it best already (Feng et
/// al. 2021, "TOOD: Task-aligned One-stage Object Detection", arXiv:2108.07755, section 3.2; numbers as ultralytics').
struct YOLOAssignment {
  /// A place that shall find an object.
  struct Match: Equatable {
    /// The place, among those of all maps.
    let place: Int
    /// The object, among the picture's.
    let object: Int
    /// How sure the network shall be there: 1 where box and class fit best, times the overlap.
    var score: Float
  }

  /// Places that an object is given at most.
  private static let places = 10
  /// How the score of the class and the overlap of the boxes count: score^½ · overlap⁶.
  private static let overlapPower: Float = 6

  /// The matches of one picture, in the order of the places.
  ///
  /// - Parameters:
  ///   - boxes: what the network says of each place, in pixels.
  ///   - scores: what it gives each class at each place, `classes` numbers a place.
  ///   - centres: x and y of each place, in pixels.
  static func matches(
    boxes: [Box], scores: [Float], classes: Int, centres: [Float], objects: [Instance]
  ) -> [Match] {
    /// An object that takes a place: how well it fits, and what their boxes share.
    struct Candidate {
      let object: Int
      let fit: Float
      let overlap: Float
    }
    var taken: [Int: Candidate] = [:]
    for (number, object) in objects.enumerated() {
      let box = object.box
      let inside = boxes.indices.filter { place in
        let (x, y) = (centres[2 * place], centres[2 * place + 1])
        return min(x - box.x1, y - box.y1, box.x2 - x, box.y2 - y) > 1e-9
      }
      let fits = inside.map { place -> (place: Int, fit: Float, overlap: Float) in
        let overlap = max(box.completeOverlap(boxes[place]), 0)
        let score = scores[place * classes + object.labelIndex]
        return (place, score.squareRoot() * powf(overlap, overlapPower), overlap)
      }
      // Of equals the first place, so that the same pictures are learned the same way.
      let best = fits.sorted { ($1.fit, $0.place) < ($0.fit, $1.place) }.prefix(places)
      for (place, fit, overlap) in best where overlap > taken[place]?.overlap ?? -1 {
        taken[place] = Candidate(object: number, fit: fit, overlap: overlap)
      }
    }
    var (bestFit, bestOverlap): ([Int: Float], [Int: Float]) = ([:], [:])
    for candidate in taken.values {
      bestFit[candidate.object] = max(bestFit[candidate.object] ?? 0, candidate.fit)
      bestOverlap[candidate.object] = max(bestOverlap[candidate.object] ?? 0, candidate.overlap)
    }
    return taken.sorted { $0.key < $1.key }.map { place, candidate in
      let score = candidate.fit * bestOverlap[candidate.object]! / (bestFit[candidate.object]! + 1e-9)
      return Match(place: place, object: candidate.object, score: score)
    }
  }
}

extension Box {
  /// Intersection over union, less the distance of the centres and the difference of the proportions (Zheng et al. 2020, "Distance-IoU Loss",
  /// arXiv:1911.08287, equation 10), with ultralytics' ε.
  func completeOverlap(_ other: Box) -> Float {
    let epsilon: Float = 1e-7
    let (w, h) = (width, height + epsilon)
    let (otherW, otherH) = (other.width, other.height + epsilon)
    let common =
      max(min(x2, other.x2) - max(x1, other.x1), 0) * max(min(y2, other.y2) - max(y1, other.y1), 0)
    let overlap = common / (w * h + otherW * otherH - common + epsilon)
    let (hullW, hullH) = (max(x2, other.x2) - min(x1, other.x1), max(y2, other.y2) - min(y1, other.y1))
    let (dx, dy) = (other.x1 + other.x2 - x1 - x2, other.y1 + other.y2 - y1 - y2)
    let distance = (dx * dx + dy * dy) / 4 / (hullW * hullW + hullH * hullH + epsilon)
    let turn = atanf(otherW / otherH) - atanf(w / h)
    let proportion = 4 / (Float.pi * Float.pi) * turn * turn
    return overlap - distance - proportion * proportion / (proportion - overlap + 1 + epsilon)
  }
}
