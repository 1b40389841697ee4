import CHDF5
import Synchronization

/// The door to libhdf5, which writes: one thread at a time, silent, and with every failure as one typed error.
enum HDF5Library {
  private static let lock = Mutex<Bool>(false)

  /// Runs `body` while nobody else is inside libhdf5; may not be nested.
  ///
  /// The library prints its error stack unless told not to, per thread; the setting of the host program is put back.
  static func run<Result: Sendable>(_ body: () throws -> Result) throws -> Result {
    try lock.withLock { isPrepared in
      if !isPrepared {
        guard H5open() >= 0 else { throw WeightsError(.unwritable, "libhdf5 does not start") }
        isPrepared = true
      }
      var function: H5E_auto2_t?
      var data: UnsafeMutableRawPointer?
      H5Eget_auto2(hid_t(H5E_DEFAULT), &function, &data)
      H5Eset_auto2(hid_t(H5E_DEFAULT), nil, nil)
      defer { H5Eset_auto2(hid_t(H5E_DEFAULT), function, data) }
      return try body()
    }
  }

  /// An error of the given kind, with the innermost reason that the library's stack gives.
  static func failure(_ kind: WeightsError.Kind, _ what: String) -> WeightsError {
    var reason = ""
    withUnsafeMutablePointer(to: &reason) { reason in
      _ = H5Ewalk2(
        hid_t(H5E_DEFAULT), H5E_WALK_UPWARD,
        { position, entry, context in
          guard position == 0, let text = entry?.pointee.desc, let context else { return 0 }
          context.assumingMemoryBound(to: String.self).pointee = String(cString: text)
          return 0
        }, reason)
    }
    H5Eclear2(hid_t(H5E_DEFAULT))
    // Where the system refused something, its word is enough of a report that is long and full of addresses.
    if let system = reason.firstMatch(of: #/error message = '([^']*)'/#) { reason = String(system.1) }
    return WeightsError(kind, reason.isEmpty ? what : "\(what) (\(reason))")
  }
}

/// A reference to something in libhdf5, given back when the last user is gone.
///
/// Lives only inside ``HDF5Library/run(_:)``.
final class HDF5Handle {
  let id: hid_t

  /// Takes over `id`; throws `what` when it is negative, the library's sign of failure.
  init(_ id: hid_t, _ kind: WeightsError.Kind, _ what: @autoclosure () -> String) throws {
    guard id >= 0 else { throw HDF5Library.failure(kind, what()) }
    self.id = id
  }

  deinit { H5Idec_ref(id) }
}
