//! `demo`: a local Salesforce org, a SQLite database and live traffic in one process, one line a change.

mod home;
mod traffic;

use std::{collections::HashSet, fs::File, io::Write as _, time::Duration};

use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tombolo_client::{Client, Credentials};
use tombolo_hub::mirror::{Mirror, MirrorOptions, Progress, Report, Target};
use tombolo_org::{CdcSelection, OrgConfig, RunningOrg};

use self::{
    home::Home,
    traffic::{Touched, Traffic},
};
use super::{
    mirror::{report_json, word},
    org::interrupted,
};
use crate::{
    arguments::DemoArguments,
    failure::{Done, Failure},
    output::Printer,
};

const OBJECTS: [&str; 3] = ["Account", "Contact", "Shipment__c"];
/// How many things happen in `--once`, and how fast.
const ROUND: usize = 60;
const ROUND_PAUSE: Duration = Duration::from_millis(15);
const LIVE_PAUSE: Duration = Duration::from_millis(700);
/// How long `--once` waits to hear of its last changes before it looks for itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// Progress that nobody has read yet.
const UNREAD: usize = 1024;

pub(super) async fn run(what: &DemoArguments, printer: &Printer) -> Result<Done, Failure> {
    let home = Home::open(what.keep.as_deref())?;
    let org = RunningOrg::start(OrgConfig {
        storage: home.storage(),
        projects: vec![home.project()],
        cdc: CdcSelection::Named(OBJECTS.map(str::to_owned).to_vec()),
        seed: Some(what.seed),
        ..OrgConfig::default()
    })
    .await?;
    let ready = org.ready();
    let credentials = Credentials::token(ready.instance_url.as_str(), ready.access_token.as_str());
    let client = Client::builder().credentials(credentials).client_name("tombolo-demo").build()?;
    let traffic = Traffic::begin(client.clone(), what.seed).await?;
    if !printer.is_json() {
        printer.note(&format!("Salesforce: a local org at {}", ready.instance_url));
        printer.note(&format!("Database:   {}\n", home.database().display()));
    }
    let mut show = Show::open(&home, printer)?;
    let done = show.play(&client, traffic, what.once).await?;
    if what.once && done == Done::Whole {
        // What was not heard in time is looked for, so that both sides are equal at the end.
        let report = show.mirror(&client, true, async |_, _| Ok(Done::Whole)).await?.0;
        show.end(&report)?;
    }
    org.stop().await;
    Ok(done)
}

/// The mirror at work, and one line for each change that it makes.
struct Show<'a> {
    home: &'a Home,
    printer: &'a Printer,
    file: Option<File>,
    lines: u64,
}

impl<'a> Show<'a> {
    fn open(home: &'a Home, printer: &'a Printer) -> Result<Self, Failure> {
        let create = |path| File::create(&path).map_err(|e| Failure::failed("cannot make changes.jsonl").caused_by(e));
        Ok(Self { home, printer, file: home.changes().map(create).transpose()?, lines: 0 })
    }

    async fn play(&mut self, client: &Client, mut traffic: Traffic, once: bool) -> Result<Done, Failure> {
        let watch = async |show: &mut Self, progress: &mut mpsc::Receiver<Progress>| {
            tokio::select! {
                done = show.follow(progress, &mut traffic, once) => done,
                signal = interrupted() => signal.map(|()| Done::Interrupted),
            }
        };
        self.mirror(client, false, watch).await.map(|(_, done)| done)
    }

    /// Runs a mirror for as long as somebody watches it.
    async fn mirror(
        &mut self,
        client: &Client,
        once: bool,
        watch: impl AsyncFnOnce(&mut Self, &mut mpsc::Receiver<Progress>) -> Result<Done, Failure>,
    ) -> Result<(Report, Done), Failure> {
        let target: Target = format!("sqlite:{}", self.home.database().display()).parse()?;
        let mut options = MirrorOptions::new(OBJECTS, target);
        options.once = once;
        let mirror = Mirror::open(client.clone(), options).await?;
        let (sender, mut progress) = mpsc::channel(UNREAD);
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move {
            // A sender that is gone means the same: stop.
            let _ = stopped.await;
        };
        let running = tokio::spawn(mirror.run(stopped, sender));
        let done = watch(self, &mut progress).await;
        if !once {
            drop(stop);
        }
        while let Some(step) = progress.recv().await {
            self.line(&step)?;
        }
        let report = running.await.map_err(|e| Failure::failed("the mirror broke off").caused_by(e))??;
        Ok((report, done?))
    }

    /// Waits for the mirror to be live, then lets things happen and tells what arrives.
    async fn follow(
        &mut self,
        progress: &mut mpsc::Receiver<Progress>,
        traffic: &mut Traffic,
        once: bool,
    ) -> Result<Done, Failure> {
        let mut silent = OBJECTS.len();
        while silent > 0 {
            match progress.recv().await {
                None => return Ok(Done::Whole),
                Some(Progress::Live { .. }) => silent -= 1,
                Some(Progress::Snapshot { object, rows }) => self.note(&format!("{object:<12} {rows:>3} rows read")),
                Some(other) => drop(self.line(&other)?),
            }
        }
        let (mut left, pause) = if once { (ROUND, ROUND_PAUSE) } else { (usize::MAX, LIVE_PAUSE) };
        let mut awaited: HashSet<Touched> = HashSet::new();
        let mut due = Instant::now();
        while left > 0 || !awaited.is_empty() {
            tokio::select! {
                step = progress.recv() => match step {
                    None => break,
                    Some(step) => if let Some(seen) = self.line(&step)? {
                        awaited.remove(&seen);
                    },
                },
                () = sleep_until(due), if left > 0 => {
                    awaited.insert(traffic.step().await?);
                    left -= 1;
                    due = Instant::now() + if left > 0 { pause } else { PATIENCE };
                }
                () = sleep_until(due), if left == 0 => break,
            }
        }
        Ok(Done::Whole)
    }

    fn note(&self, text: &str) {
        if !self.printer.is_json() {
            self.printer.note(text);
        }
    }

    /// Tells of a change, and which record it was.
    fn line(&mut self, step: &Progress) -> Result<Option<Touched>, Failure> {
        let Progress::Applied { object, id, change, lag } = step else { return Ok(None) };
        let (change, lag) = (word(*change), lag.map(|lag| lag.as_millis().max(0)));
        self.lines += 1;
        let now = jiff::Zoned::now();
        if let Some(file) = &mut self.file {
            let at = now.timestamp().to_string();
            let line =
                json!({ "at": at, "object": object, "id": id, "change": change, "lag_ms": lag.map(|ms| ms as u64) });
            writeln!(file, "{line}").map_err(|e| Failure::failed("cannot write changes.jsonl").caused_by(e))?;
        }
        if !self.printer.is_json() {
            let lag = lag.map(|lag| format!("{lag} ms")).unwrap_or_default();
            let time = now.strftime("%H:%M:%S");
            self.printer.line(&format!("{time}  {object:<12} {id}  {:<10} {lag:>8}", change.to_string()))?;
        }
        Ok(Some(Touched { object: object.clone(), id: id.clone() }))
    }

    fn end(&self, report: &Report) -> Result<(), Failure> {
        if self.printer.is_json() {
            let mut summary = json!({ "objects": report_json(report), "changes": self.lines });
            if self.home.changes().is_some() {
                summary["kept"] = self.home.folder().display().to_string().into();
            }
            return self.printer.line(&summary.to_string());
        }
        let rows: u64 = report.objects.iter().map(|o| o.rows).sum();
        self.printer.note(&format!("\n{} changes told, {rows} rows on both sides.", self.lines));
        Ok(())
    }
}
