import Foundation

/// Where this package keeps what it may lose: measured algorithms, downloaded weights.
package enum CacheFolder {
  /// `$AVIARY_CACHE`, else `aviary` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`); nil where the environment names none.
  package static func path(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    if let folder = environment["AVIARY_CACHE"], !folder.isEmpty { return folder }
    let cache = environment["XDG_CACHE_HOME"] ?? environment["HOME"].map { $0 + "/.cache" }
    return cache.map { $0 + "/aviary" }
  }
}
