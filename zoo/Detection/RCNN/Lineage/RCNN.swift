import AviaryLayers
import AviaryTensors
import AviaryVision

/// R-CNN (Girshick, Donahue, Darrell & Malik 2014, "Rich feature hierarchies for accurate object detection and semantic segmentation",
/// arXiv:1311.2524, figure 1): each region that someone proposes is cut out, warped to the input of a classifier, and classified by itself.
///
/// The first of the detectors in this folder, to be read: of thousands of regions that overlap, each goes through all convolutions.
/// ``FastRCNN`` shares these, ``FasterRCNN`` proposes the regions as well.
public final class RCNN: Module {
  /// Tells what a warped region shows, the background as label 0.
  public let classifier: any StagedModel
  /// Height and width of the classifier's input.
  public let side: Int
  /// Pixels of the warped region that show what is around it on each side (appendix A).
  public let context: Int

  /// - Parameters:
  ///   - classifier: from N×3×`side`×`side` to logits.
  ///   - context: the paper's 16 for 227×227.
  public init(_ classifier: any StagedModel, side: Int, context: Int = 16) {
    require(side > 2 * context && context >= 0, "regions of \(side) pixels with \(context) around them")
    self.classifier = classifier
    self.side = side
    self.context = context
  }

  /// Logits R×labels of regions of one picture.
  ///
  /// - Parameters:
  ///   - picture: 1×3×H×W, normalised: what of a region lies beside the picture is 0, the mean.
  ///   - regions: in pixels, each with an area.
  public func callAsFunction(_ picture: Tensor, regions: [Box]) -> Tensor {
    classifier(warped(picture, regions))
  }

  /// Regions R×3×`side`×`side`, stretched to that size whatever their proportions.
  func warped(_ picture: Tensor, _ regions: [Box]) -> Tensor {
    require(picture.shape[0] == 1, "regions of \(picture.shape[0]) pictures at once")
    let edges = regions.flatMap { region -> [Float] in
      let box = dilated(region)
      return [0, box.x1, box.y1, box.x2, box.y2]
    }
    return regionsAligned(
      [picture], regions: Tensor(edges, shape: [regions.count, 5]), size: (side, side), scales: [1],
      isAligned: true)
  }

  /// The region with as much around it as becomes ``context`` pixels when it is warped.
  private func dilated(_ region: Box) -> Box {
    require(region.width > 0 && region.height > 0, "a region without an area: \(region.coco)")
    let share = Float(context) / Float(side - 2 * context)
    let (x, y) = (share * region.width, share * region.height)
    return Box(x1: region.x1 - x, y1: region.y1 - y, x2: region.x2 + x, y2: region.y2 + y)
  }
}
