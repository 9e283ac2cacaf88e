"""Every request and who answers it."""

from typing import Any

from cluster.answers import (
    belonging, deaths, forecast, maintenance, moves, neighbours, nodes, package_files, packages,
    power, questions, record, rejoin, trust
)
from cluster.answers.desk import Handler
from cluster.api import messages

HANDLERS: dict[type[Any], Handler] = {
    messages.GetStatus: questions.status,
    messages.GetConfig: questions.config,
    messages.CheckCluster: belonging.check_cluster,
    messages.GetPackages: questions.packages,
    messages.GetEvents: questions.events,
    messages.Preflight: questions.preflight,
    messages.ApplyCluster: belonging.apply_cluster,
    messages.RunCluster: nodes.run_cluster,
    messages.HaltCluster: nodes.halt_cluster,
    messages.AddNode: belonging.add_node,
    messages.RemoveNode: belonging.remove_node,
    messages.RunNode: nodes.run_node,
    messages.HaltNode: nodes.halt_node,
    messages.DrainNode: maintenance.drain,
    messages.PlanFailure: forecast.failure,
    messages.CancelDrain: maintenance.cancel_drain,
    messages.ResumeNode: maintenance.resume,
    messages.UnquarantineNode: maintenance.unquarantine,
    messages.ConfirmDead: deaths.confirm_dead,
    messages.FenceNode: power.fence_node,
    messages.CheckPackages: package_files.check,
    messages.ApplyPackages: package_files.apply,
    messages.DeletePackage: packages.delete,
    messages.RunPackage: packages.run,
    messages.HaltPackage: packages.halt,
    messages.SetSwitching: packages.switching,
    messages.SetMaintenance: packages.maintenance,
    messages.MovePackage: moves.open_move,
    messages.GetMove: moves.look,
    messages.AbortMove: moves.abort,
    messages.InviteNode: trust.invite,
    messages.JoinNode: trust.join,
    messages.RotateNode: trust.rotate,
    messages.RejoinNode: rejoin.rejoin,
    messages.GetKeys: trust.keys,
    messages.AddOperator: trust.add_operator,
    messages.RemoveOperator: trust.remove_operator,
    messages.BackUpCluster: record.backup,
    messages.RestoreCluster: record.restore,
    messages.AskCertificate: trust.certificate,
    messages.AskKeyKnown: trust.key_known,
    messages.AskLease: neighbours.lease,
    messages.AskSilence: deaths.silence,
    messages.AskDeath: deaths.death,
    messages.AskFence: power.fence,
    messages.AskFenceTest: power.fence_test,
    messages.AskPatience: deaths.patience,
    messages.AskFacts: neighbours.facts,
    messages.AskProgress: neighbours.progress,
    messages.AskReady: neighbours.ready,
    messages.AskRoom: neighbours.room,
}
