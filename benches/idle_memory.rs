//! Memory of the signaling server for each idle connection: KiB of resident memory, against the
//! budget of 12 KiB.
//!
//! `cargo bench --bench idle_memory`. The program starts a second process of itself as the server,
//! opens 10,000 connections to it (or as many as the limit of open files allows), and reads the
//! server's `VmRSS` from Linux's /proc after each step. On other systems it does not measure.
//!
//! The figure does not include the kernel's memory for the sockets, which is the same for every
//! server.

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("idle_memory: not measured, it needs Linux's /proc");
}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::var_os(linux::AS_SERVER).is_some() { linux::serve() } else { linux::measure() }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::Duration;

    use frostmesh::server::{Config, Limits, Server};

    /// Set in the process that is the server.
    pub const AS_SERVER: &str = "FROSTMESH_BENCH_SERVER";

    /// DESIGN.md, "Budgets".
    const BUDGET_KIB: f64 = 12.0;

    const CONNECTIONS: usize = 10_000;

    /// Connections whose handshakes run at the same time.
    const AT_ONCE: usize = 200;

    /// Size of the message that each connection relays once, in bytes: that of a usual session
    /// description.
    const MESSAGE: usize = 3000;

    type Outcome<T> = Result<T, Box<dyn Error>>;

    /// Serves until standard input ends: when the parent process ends, at the latest.
    pub fn serve() -> Outcome<()> {
        tokio::runtime::Runtime::new()?.block_on(async {
            let config =
                Config { listen: ([127, 0, 0, 1], 0).into(), www: None, limits: Limits::default() };
            let server = Server::bind(config).await?;
            println!("{}", server.local_addr());
            let (end, ended) = tokio::sync::oneshot::channel();
            std::thread::spawn(move || {
                let _ = std::io::stdin().read_to_end(&mut Vec::new());
                let _ = end.send(());
            });
            server.run(async { ended.await.unwrap_or_default() }).await?;
            Ok(())
        })
    }

    pub fn measure() -> Outcome<()> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(AS_SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let result = steps(&mut child);
        drop(child.stdin.take());
        child.wait()?;
        result
    }

    fn steps(child: &mut Child) -> Outcome<()> {
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output of the server")?)
            .read_line(&mut line)?;
        let server: SocketAddr = line.trim().parse()?;
        // This process needs a file for each connection as well, and has the same limit.
        let count = CONNECTIONS.min(Limits::default().max_peers);
        let at_once = AT_ONCE.min(count);

        // The first connections allocate memory once for all.
        drop(open(server, at_once)?);
        sleep(Duration::from_secs(1));
        let before = resident_kib(child)?;
        let report = |step: &str, connections: usize, child: &Child| -> Outcome<()> {
            sleep(Duration::from_secs(1));
            let each = (resident_kib(child)? - before) / connections as f64;
            println!(
                "{step:<40} {each:6.2} KiB each, {:4.2} of the budget of {BUDGET_KIB} KiB",
                each / BUDGET_KIB
            );
            Ok(())
        };

        let mut sockets = Vec::with_capacity(count);
        while sockets.len() < count {
            sockets.append(&mut open(server, at_once.min(count - sockets.len()))?);
        }
        report(&format!("{count} connections, silent"), count, child)?;

        for (number, socket) in sockets.iter_mut().enumerate() {
            send(socket, &format!(r#"{{"type":"register","peer_id":"peer-{number}"}}"#))?;
        }
        report("… all registered", count, child)?;

        let data = "x".repeat(MESSAGE);
        let mut buffer = vec![0; 2 * MESSAGE];
        for number in (0..count & !1).step_by(2) {
            let Some([first, second]) = sockets.get_mut(number..number + 2) else { break };
            send(
                first,
                &format!(r#"{{"type":"relay","to":"peer-{}","data":"{data}"}}"#, number + 1),
            )?;
            read_at_least(second, &mut buffer, MESSAGE)?;
            send(second, &format!(r#"{{"type":"relay","to":"peer-{number}","data":"{data}"}}"#))?;
            read_at_least(first, &mut buffer, MESSAGE)?;
        }
        report("… each has sent and got 3 KB", count, child)?;

        drop(sockets);
        report("… all gone (left over)", count, child)
    }

    /// Opens WebSocket connections, with all handshakes at the same time.
    fn open(server: SocketAddr, count: usize) -> Outcome<Vec<TcpStream>> {
        let mut sockets = Vec::with_capacity(count);
        for _ in 0..count {
            let mut socket = TcpStream::connect(server)?;
            socket.set_read_timeout(Some(Duration::from_secs(30)))?;
            let request = format!(
                "GET /ws HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            socket.write_all(request.as_bytes())?;
            sockets.push(socket);
        }
        for socket in &mut sockets {
            let mut answer = Vec::new();
            let mut buffer = [0; 512];
            while !answer.ends_with(b"\r\n\r\n") {
                let count = socket.read(&mut buffer)?;
                answer.extend_from_slice(
                    buffer.get(..count).filter(|read| !read.is_empty()).ok_or("closed")?,
                );
            }
            if !answer.starts_with(b"HTTP/1.1 101 ") {
                return Err(String::from_utf8_lossy(&answer).into());
            }
        }
        Ok(sockets)
    }

    /// Sends a text frame, with a mask of zeros.
    fn send(socket: &mut TcpStream, text: &str) -> Outcome<()> {
        let mut frame = vec![0x81];
        match u16::try_from(text.len())? {
            short @ 0..126 => frame.push(0x80 | u8::try_from(short)?),
            long => {
                frame.push(0x80 | 126);
                frame.extend_from_slice(&long.to_be_bytes());
            }
        }
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        Ok(socket.write_all(&frame)?)
    }

    fn read_at_least(socket: &mut TcpStream, buffer: &mut [u8], wanted: usize) -> Outcome<()> {
        let mut total = 0;
        while total < wanted {
            total += match socket.read(buffer)? {
                0 => return Err("closed".into()),
                count => count,
            };
        }
        Ok(())
    }

    /// Resident memory of a process, in KiB (proc_pid_status(5)).
    fn resident_kib(child: &Child) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().next().ok_or("no figure")?.parse()?)
    }
}
