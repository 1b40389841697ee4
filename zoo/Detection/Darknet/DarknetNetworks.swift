// The networks of the catalogue in darknet's words.

extension Darknet {
  private static func convolution(
    _ filters: Int, _ size: Int, stride: Int = 1, isNormalized: Bool = true
  ) -> String {
    "[convolutional]\nbatch_normalize=\(isNormalized ? 1 : 0)\nfilters=\(filters)\nsize=\(size)\nstride=\(stride)\npad=1\nactivation=leaky\n"
  }

  private static func maximum(stride: Int = 2) -> String { "[maxpool]\nsize=2\nstride=\(stride)\n" }

  /// YOLO v3 tiny for COCO (Redmon & Farhadi 2018, arXiv:1804.02767): thirteen convolutions, and heads for two sizes of objects.
  static let yoloV3Tiny: String = {
    func head(_ mask: String) -> String {
      "[convolutional]\nsize=1\nstride=1\npad=1\nfilters=255\nactivation=linear\n"
        + "[yolo]\nmask=\(mask)\nanchors=10,14, 23,27, 37,58, 81,82, 135,169, 344,319\nclasses=80\nnum=6\n"
    }
    let body = [16, 32, 64, 128, 256].map { convolution($0, 3) + maximum() }.joined()
    return "[net]\nwidth=416\nheight=416\nchannels=3\n" + body
      + convolution(512, 3) + maximum(stride: 1) + convolution(1024, 3) + convolution(256, 1)
      + convolution(512, 3) + head("3,4,5")
      + "[route]\nlayers=-4\n" + convolution(128, 1) + "[upsample]\nstride=2\n" + "[route]\nlayers=-1,8\n"
      + convolution(256, 3) + head("0,1,2")
  }()

  /// YOLO as it was first described (Redmon, Divvala, Girshick & Farhadi 2016, arXiv:1506.02640, figure 3): 24 convolutions and two full
  /// connections to a grid of 7×7 cells with two boxes and the twenty classes of PASCAL VOC each; equation 3's roots of the sides.
  static let yoloV1: String = {
    func pair(_ narrow: Int, _ wide: Int) -> String {
      convolution(narrow, 1, isNormalized: false) + convolution(wide, 3, isNormalized: false)
    }
    func wide(stride: Int = 1) -> String { convolution(1024, 3, stride: stride, isNormalized: false) }
    return "[net]\nwidth=448\nheight=448\nchannels=3\n"
      + convolution(64, 7, stride: 2, isNormalized: false) + maximum()
      + convolution(192, 3, isNormalized: false) + maximum()
      + pair(128, 256) + pair(256, 512) + maximum()
      + String(repeating: pair(256, 512), count: 4) + pair(512, 1024) + maximum()
      + String(repeating: pair(512, 1024), count: 2) + wide() + wide(stride: 2) + wide() + wide()
      + "[connected]\noutput=4096\nactivation=leaky\n[dropout]\nprobability=.5\n"
      + "[connected]\noutput=1470\nactivation=linear\n"
      + "[detection]\nclasses=20\ncoords=4\nside=7\nnum=2\nsqrt=1\nrescore=1\nnoobject_scale=.5\ncoord_scale=5\n"
  }()

  /// PASCAL VOC's classes in darknet's order.
  static let pascalClasses = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
  ]
}
