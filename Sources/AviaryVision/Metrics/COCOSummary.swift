/// COCO's twelve numbers; nil where there was no object that counts.
public struct COCOSummary: Sendable, Hashable, Codable {
  /// Average precision: the mean over thresholds .50 to .95 and classes.
  public let averagePrecision: Double?
  /// At the threshold .50.
  public let at50: Double?
  /// At the threshold .75.
  public let at75: Double?
  /// Of objects of at most 32² pixels.
  public let small: Double?
  /// Of objects of 32² to 96² pixels.
  public let medium: Double?
  /// Of objects of at least 96² pixels.
  public let large: Double?
  /// Average recall with one detection of a class in a picture.
  public let recallOf1: Double?
  /// Average recall with ten.
  public let recallOf10: Double?
  /// Average recall with a hundred.
  public let recallOf100: Double?
  /// Average recall of objects of at most 32² pixels.
  public let recallSmall: Double?
  /// Average recall of objects of 32² to 96² pixels.
  public let recallMedium: Double?
  /// Average recall of objects of at least 96² pixels.
  public let recallLarge: Double?

  /// The numbers in the order in which `COCOeval` prints them, with the names of its lines.
  public var rows: [(name: String, value: Double?)] {
    [
      ("AP", averagePrecision), ("AP50", at50), ("AP75", at75), ("AP small", small),
      ("AP medium", medium), ("AP large", large), ("AR 1", recallOf1), ("AR 10", recallOf10),
      ("AR 100", recallOf100), ("AR small", recallSmall), ("AR medium", recallMedium),
      ("AR large", recallLarge),
    ]
  }
}

extension COCOEvaluation {
  /// The classes of which there were objects that count, in ascending order.
  public var classes: [Int] {
    tallies.filter { $0.value[Range.all.rawValue].objects > 0 }.keys.sorted()
  }

  /// The twelve numbers over all classes.
  public var summary: COCOSummary { summary(of: Array(tallies.keys.sorted())) }

  /// The twelve numbers of one class.
  public func summary(of label: Int) -> COCOSummary { summary(of: [label]) }

  private func summary(of labels: [Int]) -> COCOSummary {
    func curves(_ range: Range, most: Int = Self.most) -> [[Curve]] {
      labels.compactMap { label in
        guard let tally = tallies[label]?[range.rawValue], tally.objects > 0 else { return nil }
        return tally.curves(most: most)
      }
    }
    func mean(_ values: [Double]) -> Double? {
      values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    func precision(_ curves: [[Curve]], threshold: Int? = nil) -> Double? {
      let counted = curves.flatMap { curves in threshold.map { [curves[$0]] } ?? curves }
      return mean(counted.flatMap(\.precisions))
    }
    func recall(_ curves: [[Curve]]) -> Double? { mean(curves.flatMap { $0.map(\.recall) }) }
    let all = curves(.all)
    let (small, medium, large) = (curves(.small), curves(.medium), curves(.large))
    return COCOSummary(
      averagePrecision: precision(all), at50: precision(all, threshold: 0),
      at75: precision(all, threshold: 5), small: precision(small), medium: precision(medium),
      large: precision(large), recallOf1: recall(curves(.all, most: 1)),
      recallOf10: recall(curves(.all, most: 10)), recallOf100: recall(all), recallSmall: recall(small),
      recallMedium: recall(medium), recallLarge: recall(large))
  }

  /// Precision at the recalls .00, .01, … 1.00 of one class at a threshold (0 for .50, 5 for .75, 9 for .95), the best that any recall as
  /// high or higher has; nil when there was no object of it.
  public func precisions(of label: Int, threshold: Int) -> [Double]? {
    guard let tally = tallies[label]?[Range.all.rawValue], tally.objects > 0 else { return nil }
    return tally.curves(most: Self.most)[threshold].precisions
  }
}

/// Of one class, one range of areas and one threshold.
private struct Curve {
  /// At 101 recalls.
  let precisions: [Double]
  /// With all detections.
  let recall: Double
}

extension COCOEvaluation.Tally {
  /// At each threshold, with the `most` best detections of each picture.
  fileprivate func curves(most: Int) -> [Curve] {
    let counted = outcomes.filter { $0.rank < most }
    let sorted = descendingOrder(of: counted.map(\.score)).map { counted[$0] }
    return COCOEvaluation.thresholds.indices.map { threshold in
      let bit = UInt16(1) << UInt16(threshold)
      var (recalls, precisions): ([Double], [Double]) = ([], [])
      var (right, wrong) = (0, 0)
      for outcome in sorted {
        // What is ignored adds nothing, but has its place in the lists, as in pycocotools.
        if outcome.ignored & bit == 0 { if outcome.found & bit != 0 { right += 1 } else { wrong += 1 } }
        recalls.append(Double(right) / Double(objects))
        precisions.append(Double(right) / (Double(right + wrong) + .ulpOfOne))
      }
      for index in precisions.indices.dropLast().reversed() {
        precisions[index] = max(precisions[index], precisions[index + 1])
      }
      var place = 0
      let atRecalls = (0...100).map { hundredth -> Double in
        let recall = hundredth == 100 ? 1 : Double(hundredth) * 0.01
        while place < recalls.count && recalls[place] < recall { place += 1 }
        return place < recalls.count ? precisions[place] : 0
      }
      return Curve(precisions: atRecalls, recall: recalls.last ?? 0)
    }
  }
}
