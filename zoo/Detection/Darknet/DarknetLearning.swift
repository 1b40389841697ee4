import AviaryLayers
import AviaryTensors
import AviaryVision

/// What a section of a head says of learning alone (`parser.c`). The names of the options are in brackets.
struct DarknetLearning: Sendable, Hashable {
  /// Boxes that overlap an object by more than this may think that they have found it (`ignore_thresh`; `thresh` of YOLO v2).
  var ignored: Float = 0.5
  /// Boxes that overlap one by more than this learn it (`truth_thresh`).
  var certain: Float = 1
  /// What errors of centres and sides count (`coord_scale`).
  var coordinates: Float = 1
  /// What errors of certainties count where there is an object (`object_scale`).
  var objects: Float = 1
  /// What they count where there is none (`noobject_scale`).
  var background: Float = 1
  /// What errors of classes count (`class_scale`).
  var classes: Float = 1
  /// Whether the certainty that is learned is the box's overlap with its object, instead of 1 (`rescore`).
  var rescores = false
  /// Whether objects choose among the anchors' sizes, instead of those of the boxes as they are now (`bias_match`).
  var matchesAnchors = false
  /// Width and height of all anchors of YOLO v3, in pixels, those of other heads as well (`anchors`).
  var anchors: [Float] = []
  /// Which of these are the head's own (`mask`).
  var mask: [Int] = []
  /// Options that only AlexeyAB's darknet knows, or that change more than a loss: what they ask for is not done.
  let leftOut: [String]

  private static let notDone = [
    "iou_loss", "iou_normalizer", "cls_normalizer", "obj_normalizer", "delta_normalizer", "max_delta",
    "iou_thresh",
    "iou_thresh_kind", "label_smooth_eps", "focal_loss", "counters_per_class", "objectness_smooth", "random",
    "forced",
  ]

  /// What is left out has darknet's values, as it is above.
  init(_ section: DarknetSection, anchors: [Float] = [], mask: [Int] = []) throws(ConfigurationError) {
    (self.anchors, self.mask) = (anchors, mask)
    leftOut = Self.notDone.filter(section.asks)
    ignored = try section.number(section.kind == "region" ? "thresh" : "ignore_thresh", missing: ignored)
    certain = try section.number("truth_thresh", missing: certain)
    guard section.kind != "yolo" else { return }
    coordinates = try section.number("coord_scale", missing: coordinates)
    objects = try section.number("object_scale", missing: objects)
    background = try section.number("noobject_scale", missing: background)
    classes = try section.number("class_scale", missing: classes)
    rescores = try section.flag("rescore")
    matchesAnchors = try section.flag("bias_match")
  }
}

/// An object of a picture as a head learns it.
struct DarknetObject {
  let label: Int
  /// In shares of the network's picture.
  let box: Box
}

/// The parts of a head's loss, one element each: sums over the boxes of a picture, meaned over the pictures.
struct DarknetLosses {
  var box: Tensor
  var object: Tensor
  var classes: Tensor

  static func + (one: DarknetLosses, other: DarknetLosses) -> DarknetLosses {
    DarknetLosses(
      box: one.box + other.box, object: one.object + other.object, classes: one.classes + other.classes)
  }
}
