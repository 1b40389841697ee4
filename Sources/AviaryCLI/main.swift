import Aviary
import Foundation

// The program does one thing at a time: its threads may have a core each. Whoever bound them otherwise, or has said not to, is right.
let bindings = ["OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"]
if bindings.allSatisfy({ getenv($0) == nil }) {
  Parallel.bindToCores()
}

exit(Program.run(Array(CommandLine.arguments.dropFirst())))
