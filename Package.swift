// swift-tools-version: 6.0
import Foundation
import PackageDescription

/// The families of the zoo by task, each a folder of `zoo/<Task>`.
let families = [
  "Classification": [
    "LeNet", "AlexNet", "SqueezeNet", "VGG", "Inception", "Xception", "ResNet", "DenseNet", "MobileNet",
    "TinyDarknet",
    "EfficientNet", "ConvNeXt", "VisionTransformer", "Swin",
  ],
  "Detection": ["DETR", "RCNN", "RetinaNet", "FCOS", "SSD", "Darknet", "YOLO"],
  "Captioning": ["ShowAndTell", "ShowAttendTell"],
  "Generation": ["VAE", "GAN", "Diffusion", "DiT"],
  "Language": ["CharRNN", "GPT2"],
  "Segmentation": ["UNet", "HED", "FCN"],
  "Stylization": ["FastStyle", "AdaIN", "Gatys"],
  "Translation": ["Seq2Seq"],
].sorted { $0.key < $1.key }.flatMap { task, names in names.map { "\(task)/\($0)" } }

/// The folders of data that the families have. Manifests are cached by their text: after adding such a folder to a family that was here
/// before, run `swift package purge-cache`.
let familyResources = families.flatMap { family in
  ["Cards", "Maps", "Recipes", "Weights"].map { "\(family)/\($0)" }
}.filter { FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/zoo/\($0)") }

// Arrows go down this list only:
// Tensors <- {Layers <- Weights, Vision}; {Weights, Vision} <- Training; all of them <- Zoo <- Aviary (umbrella) and AviaryCLI.
let package = Package(
  name: "Aviary",
  products: [
    .library(name: "Aviary", targets: ["Aviary"]),
    .library(name: "AviaryTensors", targets: ["AviaryTensors"]),
    .library(name: "AviaryLayers", targets: ["AviaryLayers"]),
    .library(name: "AviaryWeights", targets: ["AviaryWeights"]),
    .library(name: "AviaryVision", targets: ["AviaryVision"]),
    .library(name: "AviaryTraining", targets: ["AviaryTraining"]),
    .library(name: "AviaryZoo", targets: ["AviaryZoo"]),
    .executable(name: "aviary", targets: ["AviaryCLI"]),
  ],
  targets: [
    .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
    .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg62-turbo-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebpdemux", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(name: "CGIF", providers: [.apt(["libgif-dev"])]),
    .systemLibrary(name: "CTIFF", pkgConfig: "libtiff-4", providers: [.apt(["libtiff-dev"])]),

    .target(name: "CSignals"),
    .target(name: "CThreads"),
    .target(name: "CVectors"),
    .target(
      name: "AviaryTensors", dependencies: ["COneDNN", "CThreads", "CVectors"],
      exclude: ["Compiled/README.md"]),
    .target(name: "AviaryLayers", dependencies: ["AviaryTensors"]),
    .target(
      name: "AviaryWeights",
      dependencies: ["AviaryLayers", "CSignals", "CHDF5", "CZlib", "CCrypto", "CCurl"],
      exclude: ["PortableFormat.md"]),
    .target(
      name: "AviaryVision",
      dependencies: ["AviaryTensors", "CPNG", "CJPEG", "CWebP", "CGIF", "CTIFF", "CZlib"]),
    .target(
      name: "AviaryTraining", dependencies: ["AviaryLayers", "AviaryWeights", "AviaryVision", "CZlib"]),
    .target(
      name: "AviaryZoo",
      dependencies: ["AviaryLayers", "AviaryWeights", "AviaryVision", "AviaryTraining"],
      path: "zoo", exclude: ["README.md", "Classification/LeNet/Samples"],
      resources: (["Labels", "Registry"] + familyResources).map { .process($0) }),
    .target(
      name: "Aviary",
      dependencies: [
        "AviaryTensors", "AviaryLayers", "AviaryWeights", "AviaryVision", "AviaryTraining",
        "AviaryZoo",
      ], exclude: ["Guides"]),
    .executableTarget(name: "AviaryCLI", dependencies: ["Aviary", "CSignals"]),

    .target(name: "TestSupport", dependencies: ["AviaryTensors"], path: "Tests/TestSupport"),
    .testTarget(
      name: "AviaryTensorsTests", dependencies: ["AviaryTensors", "CThreads", "COneDNN", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AviaryLayersTests",
      dependencies: ["AviaryLayers", "AviaryTraining", "TestSupport"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AviaryTrainingTests", dependencies: ["AviaryTraining", "AviaryVision", "CZlib", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AviaryZooTests", dependencies: ["AviaryZoo", "CThreads", "TestSupport"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "AviaryCLITests", dependencies: ["AviaryCLI", "TestSupport"]),
    .testTarget(
      name: "AviaryVisionTests", dependencies: ["AviaryVision"], resources: [.copy("Fixtures")]),
    .testTarget(
      name: "AviaryWeightsTests",
      dependencies: ["AviaryWeights", "CSignals", "CHDF5", "CZlib", "TestSupport"], exclude: ["Fixtures"]),
  ],
  swiftLanguageModes: [.v6]
)
