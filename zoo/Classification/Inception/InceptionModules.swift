import AviaryLayers

/// The five kinds of module of ``InceptionV3``.
struct InceptionModules {
  let form: InceptionV3.Form

  init(_ form: InceptionV3.Form) { self.form = form }

  func convolution(
    _ inputs: Int, _ outputs: Int, kernel: Extents, stride: Extents = 1, padding: Extents = 0,
    deviation: Float = 0.1
  ) -> BasicConvolution {
    BasicConvolution(
      inputs, outputs, kernel: kernel, stride: stride, padding: padding, form.batchNorm, deviation: deviation)
  }

  /// 1×7 and 7×1 convolutions, padded to keep the size.
  private func row(_ inputs: Int, _ outputs: Int) -> BasicConvolution {
    convolution(inputs, outputs, kernel: [1, 7], padding: [0, 3])
  }

  private func column(_ inputs: Int, _ outputs: Int) -> BasicConvolution {
    convolution(inputs, outputs, kernel: [7, 1], padding: [3, 0])
  }

  /// The mean of 3×3 windows and a 1×1 convolution.
  private func pooled(_ inputs: Int, _ outputs: Int) -> Branches.Branch {
    [
      ("", AvgPool2d(kernel: 3, stride: 1, padding: 1, countsPadding: form == .torchvision)),
      ("branch_pool", convolution(inputs, outputs, kernel: 1)),
    ]
  }

  /// The same with the maximum of the windows.
  private func maximumPooled(_ inputs: Int, _ outputs: Int) -> Branches.Branch {
    [
      ("", MaxPool2d(kernel: 3, stride: 1, padding: 1)),
      ("branch_pool", convolution(inputs, outputs, kernel: 1)),
    ]
  }

  /// On the 35×35 grid (figure 5, with a 5×5 in the second branch).
  func fiveByFive(_ inputs: Int, pool: Int) -> Branches {
    Branches(
      [("branch1x1", convolution(inputs, 64, kernel: 1))],
      [
        ("branch5x5_1", convolution(inputs, 48, kernel: 1)),
        ("branch5x5_2", convolution(48, 64, kernel: 5, padding: 2)),
      ],
      [
        ("branch3x3dbl_1", convolution(inputs, 64, kernel: 1)),
        ("branch3x3dbl_2", convolution(64, 96, kernel: 3, padding: 1)),
        ("branch3x3dbl_3", convolution(96, 96, kernel: 3, padding: 1)),
      ],
      pooled(inputs, pool))
  }

  /// From 35×35 to 17×17 (figure 10).
  func firstReduction(_ inputs: Int) -> Branches {
    Branches(
      [("branch3x3", convolution(inputs, 384, kernel: 3, stride: 2))],
      [
        ("branch3x3dbl_1", convolution(inputs, 64, kernel: 1)),
        ("branch3x3dbl_2", convolution(64, 96, kernel: 3, padding: 1)),
        ("branch3x3dbl_3", convolution(96, 96, kernel: 3, stride: 2)),
      ],
      [("", MaxPool2d(kernel: 3, stride: 2))])
  }

  /// On the 17×17 grid: 7×7 convolutions as products of 1×7 and 7×1 (figure 6).
  func sevenBySeven(_ inputs: Int, width: Int) -> Branches {
    Branches(
      [("branch1x1", convolution(inputs, 192, kernel: 1))],
      [
        ("branch7x7_1", convolution(inputs, width, kernel: 1)), ("branch7x7_2", row(width, width)),
        ("branch7x7_3", column(width, 192)),
      ],
      [
        ("branch7x7dbl_1", convolution(inputs, width, kernel: 1)),
        ("branch7x7dbl_2", column(width, width)), ("branch7x7dbl_3", row(width, width)),
        ("branch7x7dbl_4", column(width, width)), ("branch7x7dbl_5", row(width, 192)),
      ],
      pooled(inputs, 192))
  }

  /// From 17×17 to 8×8.
  func secondReduction(_ inputs: Int) -> Branches {
    Branches(
      [
        ("branch3x3_1", convolution(inputs, 192, kernel: 1)),
        ("branch3x3_2", convolution(192, 320, kernel: 3, stride: 2)),
      ],
      [
        ("branch7x7x3_1", convolution(inputs, 192, kernel: 1)), ("branch7x7x3_2", row(192, 192)),
        ("branch7x7x3_3", column(192, 192)),
        ("branch7x7x3_4", convolution(192, 192, kernel: 3, stride: 2)),
      ],
      [("", MaxPool2d(kernel: 3, stride: 2))])
  }

  /// On the 8×8 grid: 1×3 and 3×1 side by side (figure 7).
  func expanded(_ inputs: Int, isLast: Bool = false) -> Branches {
    func sides(_ name: String) -> (name: String, layer: any Layer) {
      let branches = Branches(
        [(name + "a", convolution(384, 384, kernel: [1, 3], padding: [0, 1]))],
        [(name + "b", convolution(384, 384, kernel: [3, 1], padding: [1, 0]))])
      return ("", branches)
    }
    return Branches(
      [("branch1x1", convolution(inputs, 320, kernel: 1))],
      [("branch3x3_1", convolution(inputs, 384, kernel: 1)), sides("branch3x3_2")],
      [
        ("branch3x3dbl_1", convolution(inputs, 448, kernel: 1)),
        ("branch3x3dbl_2", convolution(448, 384, kernel: 3, padding: 1)), sides("branch3x3dbl_3"),
      ],
      form == .fid && isLast ? maximumPooled(inputs, 192) : pooled(inputs, 192))
  }
}
