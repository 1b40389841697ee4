import AviaryTensors
import CHDF5

/// An open HDF5 file: its mapped bytes beside libhdf5's view of them.
final class HDF5File {
  let mapped: MappedFile
  /// Bytes that all datasets read so far take in memory.
  private(set) var bytesRead = 0
  private let handle: HDF5Handle

  /// Opens `mapped` for reading. Throws ``WeightsError`` when it is no HDF5 file, or damaged.
  init(_ mapped: MappedFile) throws {
    try mapped.withBytes { try HDF5Superblock.check($0) }
    let access = try HDF5Handle(H5Pcreate(aviary_h5_class_file_access()), .unsupported, "libhdf5 does not start")
    H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG)
    aviary_h5_skip_file_lock(access.id)
    self.mapped = mapped
    handle = try HDF5Handle(H5Fopen(mapped.path, aviary_h5_read_only(), access.id), .malformed, "it is damaged")
  }

  func root() throws -> HDF5Group {
    let root = try HDF5Handle(H5Gopen2(handle.id, "/", 0), .malformed, "the root group is damaged")
    return HDF5Group(handle: root, path: "", file: self)
  }

  /// Counts memory that a dataset will take; refuses what a small file cannot honestly hold.
  ///
  /// One dataset may be reached under many names, and each takes memory anew.
  func account(for bytes: Int) throws {
    bytesRead += bytes
    guard bytesRead <= 1 << 30 || bytesRead / 1000 <= mapped.count else {
      throw WeightsError(.refused, "its datasets unpack to more than a thousand times the file's size")
    }
  }
}

/// A group of an HDF5 file.
struct HDF5Group {
  enum Child {
    case group(HDF5Group)
    case dataset(HDF5Dataset)
    /// A named type: nothing a reader of weights wants.
    case other
  }

  let handle: HDF5Handle
  /// From the root, without a leading slash.
  let path: String
  let file: HDF5File

  private static let maximumLinks = 200_000

  /// The names of all children, unordered. Throws when one is a link to somewhere else.
  func childNames() throws -> [String] {
    struct Listing {
      var names: [String] = []
      var problem: WeightsError?
    }
    var listing = Listing()
    let status = withUnsafeMutablePointer(to: &listing) { listing in
      aviary_h5_each_link(handle.id, listing) { context, name, kind in
        let listing = context!.assumingMemoryBound(to: Listing.self)
        guard let name, let text = String(validatingCString: name) else {
          listing.pointee.problem = WeightsError(.malformed, "a name is not UTF-8")
          return 1
        }
        if listing.pointee.names.count >= HDF5Group.maximumLinks {
          listing.pointee.problem = WeightsError(.refused, "a group has more than \(HDF5Group.maximumLinks) members")
          return 1
        }
        if kind != 0 {
          listing.pointee.problem = HDF5Group.refusedLink(text, kind)
          return 1
        }
        listing.pointee.names.append(text)
        return 0
      }
    }
    if let problem = listing.problem { throw problem.inPart(shown) }
    guard status >= 0 else { throw HDF5Library.failure(.malformed, "\(shown) cannot be listed") }
    return listing.names
  }

  /// What is at `relativePath`, or nil when there is nothing; every step must be an ordinary (hard) link.
  func child(_ relativePath: String) throws -> Child? {
    let steps = relativePath.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard !steps.isEmpty, steps.count <= 64, !steps.contains(where: { ["", ".", ".."].contains($0) }) else {
      throw WeightsError(.refused, "\(relativePath.quoted) is not a usable path")
    }
    var group = self
    for step in steps.dropLast() {
      guard case .group(let next)? = try group.member(step) else { return nil }
      group = next
    }
    return try group.member(steps.last!)
  }

  /// The group at `relativePath`; throws when there is none.
  func group(_ relativePath: String) throws -> HDF5Group {
    guard case .group(let group)? = try child(relativePath) else {
      throw WeightsError(.malformed, "the group \(joined(relativePath).quoted) is missing")
    }
    return group
  }

  /// The dataset at `relativePath`; throws when there is none.
  func dataset(_ relativePath: String) throws -> HDF5Dataset {
    guard case .dataset(let dataset)? = try child(relativePath) else {
      throw WeightsError(.malformed, "the dataset \(joined(relativePath).quoted) is missing")
    }
    return dataset
  }

  private func member(_ name: String) throws -> Child? {
    let kind = aviary_h5_link(handle.id, name)
    guard kind >= 0 else { return nil }
    if kind != 0 { throw Self.refusedLink(joined(name), Int32(kind)) }
    let object = try HDF5Handle(aviary_h5_open(handle.id, name), .malformed, "\(joined(name).quoted) is damaged")
    switch H5Iget_type(object.id) {
    case H5I_GROUP: return .group(HDF5Group(handle: object, path: joined(name), file: file))
    case H5I_DATASET: return .dataset(HDF5Dataset(handle: object, path: joined(name), file: file))
    default: return .other
    }
  }

  private func joined(_ name: String) -> String { path.isEmpty ? name : path + "/" + name }
  private var shown: String { path.isEmpty ? "the root group" : "the group \(path.quoted)" }

  private static func refusedLink(_ name: String, _ kind: Int32) -> WeightsError {
    WeightsError(.refused, "\(name.quoted) is a \(kind == 1 ? "soft" : "external") link, which is not followed")
  }
}
