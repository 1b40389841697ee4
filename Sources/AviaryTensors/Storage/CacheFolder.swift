import Foundation

/// Where this package keeps what it may lose: measured algorithms, downloaded weights.
package enum CacheFolder {
  /// `$AVIARY_CACHE`, else `aviary` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`); nil where the environment names none.
  package static func path(
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    // An empty variable is as good as none; with an empty HOME everything would lie below the root folder.
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let folder = variable("AVIARY_CACHE") { return folder }
    let cache = variable("XDG_CACHE_HOME") ?? variable("HOME").map { $0 + "/.cache" }
    return cache.map { $0 + "/aviary" }
  }
}
