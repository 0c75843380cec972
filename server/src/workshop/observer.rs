//! What the gateway reports, and what it asks for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::deployments::Deployments;
use super::events::Hub;
use super::kv::KvKeeper;
use crate::control::messages::{KvAsk, LogEntry, RunReport, Wanted};
use crate::gateway::supervisor::GatewayObserver;

/// Questions that wait for an answer; beyond that they are dropped, and the gateway asks again.
const QUESTIONS_MAX: usize = 1_024;

/// Takes the reports of the gateway, on whatever thread they come.
pub struct Observer {
    deployments: Arc<Deployments>,
    events: Arc<Hub>,
    questions: mpsc::Sender<Wanted>,
    kv: KvKeeper,
}

impl Observer {
    pub(super) fn new(deployments: Arc<Deployments>, events: Arc<Hub>, kv: KvKeeper) -> (Observer, mpsc::Receiver<Wanted>) {
        let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
        (Observer { deployments, events, questions, kv }, asked)
    }
}

impl GatewayObserver for Observer {
    fn reports(&self, reports: Vec<RunReport>) {
        self.deployments.add_reports(reports);
    }

    fn logs(&self, lines: Vec<LogEntry>) {
        self.deployments.add_logs(lines);
    }

    fn wanted(&self, wanted: Wanted) {
        // A full queue: the gateway asks again for what is still wanted.
        drop(self.questions.try_send(wanted));
    }

    fn kv(&self, asks: Vec<KvAsk>) {
        self.kv.ask(asks);
    }

    fn restarted(&self, reason: String) {
        if !self.events.has_ended() {
            eprintln!("vivarium: {reason}; another takes its place");
        }
    }

    fn ready(&self) {}
}
