//! Runs the agent: hands it what happens, does what it asks for, wakes it when it wants to run.

use alloc::format;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::pending;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_time::{Instant, Timer};
use hilarm_agent::{Agent, Input, Now, Output, Socket};
use hilarm_link::{Command, FromDevice, LogLevel};

use crate::link::Link;
use crate::port::{Opening, Port, Request};
use crate::time;
use crate::transport::SOCKETS;
use crate::{debug, info};

/// What the other tasks have for the agent.
pub(crate) enum Stimulus {
    /// Time moved; the calendar may have jumped.
    Granted,
    /// The harness asks for something.
    Command {
        /// Its number.
        id: u32,
        /// What it asks for.
        command: Command,
    },
    /// A socket's task reports.
    Transport {
        /// The connection it speaks of.
        generation: u32,
        /// What happened to it.
        input: Input,
    },
}

/// One queue, so that the order in which things happened is kept.
pub(crate) static STIMULI: Channel<CriticalSectionRawMutex, Stimulus, 8> = Channel::new();

/// The agent with its surroundings.
pub(crate) struct Host {
    agent: &'static RefCell<Agent>,
    link: &'static Link,
    ports: &'static [Port; SOCKETS],
    /// The connection that each socket is at; reports of earlier ones are out of date.
    generations: [u32; SOCKETS],
    /// Commands that came before the first grant: the agent cannot act without a date.
    early: Vec<Input>,
}

/// Runs the agent forever.
#[embassy_executor::task]
pub(crate) async fn run(mut host: Host) -> ! {
    loop {
        host.carry_out();
        match select(STIMULI.receive(), host.due()).await {
            Either::First(stimulus) => host.take(stimulus),
            Either::Second(()) => {}
        }
        host.run_timers();
    }
}

impl Host {
    pub(crate) fn new(
        agent: &'static RefCell<Agent>,
        link: &'static Link,
        ports: &'static [Port; SOCKETS],
    ) -> Self {
        Self { agent, link, ports, generations: [0; SOCKETS], early: Vec::new() }
    }

    fn take(&mut self, stimulus: Stimulus) {
        let input = match stimulus {
            Stimulus::Granted => None,
            Stimulus::Command { id, command } => {
                debug!("command {=u32}", id);
                Some(Input::Command { id, command })
            }
            Stimulus::Transport { generation, input } => self.is_current(generation, &input).then_some(input),
        };
        let Some(now) = time::now() else {
            self.early.extend(input);
            return;
        };
        for input in self.early.drain(..).chain(input) {
            self.agent.borrow_mut().handle_input(input, now);
        }
    }

    fn is_current(&self, generation: u32, input: &Input) -> bool {
        match input {
            Input::Opened { socket, .. } | Input::Received { socket, .. } | Input::Closed { socket, .. } => {
                self.generations.get(usize::from(socket.0)) == Some(&generation)
            }
            Input::Command { .. } => true,
        }
    }

    fn run_timers(&self) {
        let Some(now) = time::now() else { return };
        let mut agent = self.agent.borrow_mut();
        if agent.poll_timeout(now).is_some_and(|at| at <= now.mono_us) {
            agent.handle_timeout(now);
        }
    }

    /// Waits until the agent wants to run.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let at = time::now().and_then(|now: Now| self.agent.borrow().poll_timeout(now));
        async move {
            match at {
                Some(at) => Timer::at(Instant::from_micros(at)).await,
                None => pending().await,
            }
        }
    }

    /// Does all that the agent asks for.
    fn carry_out(&mut self) {
        loop {
            let output = self.agent.borrow_mut().poll_output();
            match output {
                None => return,
                Some(Output::ToHarness(message)) => {
                    if let FromDevice::Log { text, .. } = &message {
                        info!("agent: {=str}", text.as_str());
                    }
                    self.link.send(&message);
                }
                Some(Output::Open { socket, remote, tls }) => {
                    if let Some(generation) = self.next_generation(socket) {
                        self.request(socket, Request::Open(Opening { generation, remote, tls }));
                    }
                }
                Some(Output::Send { socket, bytes }) => self.request(socket, Request::Send(bytes)),
                Some(Output::SendRepeated { socket, byte, count }) => {
                    self.request(socket, Request::SendRepeated { byte, count });
                }
                #[cfg(target_os = "none")]
                Some(Output::Crash(crash)) => crate::crash::carry_out(crash),
                // On a host there is no processor to lose.
                #[cfg(not(target_os = "none"))]
                Some(Output::Crash(crash)) => panic!("told to die by {crash:?}"),
                Some(Output::Close { socket }) => {
                    self.next_generation(socket);
                    self.request(socket, Request::Close);
                }
            }
        }
    }

    /// From now on reports of the socket's present connection are out of date.
    fn next_generation(&mut self, socket: Socket) -> Option<u32> {
        let generation = self.generations.get_mut(usize::from(socket.0))?;
        *generation = generation.wrapping_add(1);
        Some(*generation)
    }

    fn request(&self, socket: Socket, request: Request) {
        match self.ports.get(usize::from(socket.0)) {
            Some(port) => port.push(request),
            None => {
                self.link.log(LogLevel::Error, format!("the agent used socket {} of {SOCKETS}", socket.0))
            }
        }
    }
}
