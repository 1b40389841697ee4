import Aviary
import CSignals
import Foundation

StandardStreams.fillGaps()
Endings.install()

// Commands that run a network many times have a thread on each core. Others share the cores with whatever runs beside them, perhaps the
// same command on other files. Who bound the threads otherwise, or said not to, is right.
let bindings = ["OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"]
if ["bench", "evaluate", "finetune", "sample", "train"].contains(CommandLine.arguments.dropFirst().first),
  bindings.allSatisfy({ getenv($0) == nil })
{
  Parallel.bindToCores()
}

// Half-written files do not outlive the program, however it is ended.
remove_guarded_files_on_signals()
exit(StandardStreams.finish(Program.run(Array(CommandLine.arguments.dropFirst()))))
