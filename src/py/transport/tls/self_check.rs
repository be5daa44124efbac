//! Whether the functions that were found do what Python's methods do: two ends shake hands
//! in memory, and what the one side does natively is compared with what Python says.
//!
//! Anonymous ciphers need no certificate, so no file. They are for this only: no context of
//! the user's is touched.

use crate::py::support::make;
use crate::py::support::make::Said;
use crate::py::support::names::intern;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::direct::Direct;
use super::fallback::Objects;
use super::{Engine, Read, Written, cpython, pyopenssl};
use crate::core::tls::Table;

const CIPHERS: &str = "AECDH-AES128-SHA:ADH-AES128-SHA256:ADH-AES128-SHA:@SECLEVEL=0";

/// `TLS1_2_VERSION`: later ones have no anonymous ciphers.
const TLS1_2: u32 = 0x0303;

/// More than fits into a record.
const LENGTH: usize = 16_384 + 100;

/// Messages of a handshake, at most.
const FLIGHTS: usize = 8;

/// Checks a table for `ssl`.
///
/// # Errors
/// What is wrong.
pub fn ssl(py: Python<'_>, table: &'static Table) -> PyResult<()> {
    let module = py.import(intern!(py, "_ssl"))?;
    let make = |protocol: &str| {
        let class = module.getattr(intern!(py, "_SSLContext"))?;
        let context = class.call1((module.getattr(protocol)?,))?;
        context.setattr(intern!(py, "check_hostname"), false)?;
        context.setattr(
            intern!(py, "verify_mode"),
            module.getattr(intern!(py, "CERT_NONE"))?,
        )?;
        context.setattr(intern!(py, "maximum_version"), make::Unsigned(TLS1_2))?;
        context.call_method1(intern!(py, "set_ciphers"), (intern!(py, CIPHERS),))?;
        PyResult::Ok(context)
    };
    let bio = module.getattr(intern!(py, "MemoryBIO"))?;
    let (up, down) = (bio.call0()?, bio.call0()?);
    let wrap = |protocol: &str, incoming, outgoing, is_server: bool| {
        make(protocol)?.call_method1(intern!(py, "_wrap_bio"), (incoming, outgoing, is_server))
    };
    let server = wrap("PROTOCOL_TLS_SERVER", &up, &down, true)?;
    let client = wrap("PROTOCOL_TLS_CLIENT", &down, &up, false)?;
    shake_hands(&client, &server, || Ok(()))?;
    let session = cpython::session(table, &server, &up, &down)?;
    let session = session.ok_or_else(|| wrong("the SSL* isn't where it should be"))?;
    let cipher = server.call_method0(intern!(py, "cipher"))?.get_item(0)?;
    let theirs = (
        server.call_method0(intern!(py, "version"))?.extract()?,
        cipher.extract()?,
    );
    let server = Engine {
        objects: Objects::ssl(&server, &up, &down),
        direct: Some(Direct::new(session)),
    };
    let client = Objects::ssl(&client, &down, &up);
    compare(py, &server, theirs, &client, &mut || Ok(()))
}

/// Checks a table for pyOpenSSL.
///
/// # Errors
/// What is wrong.
pub fn openssl(py: Python<'_>, table: &'static Table) -> PyResult<()> {
    let module = py.import(intern!(py, "OpenSSL.SSL"))?;
    let make = |state: &str| {
        let context = module
            .getattr(intern!(py, "Context"))?
            .call1((module.getattr(intern!(py, "TLS_METHOD"))?,))?;
        context.call_method1(
            intern!(py, "set_max_proto_version"),
            (make::Unsigned(TLS1_2),),
        )?;
        context.call_method1(
            intern!(py, "set_cipher_list"),
            (make::bytes(py, CIPHERS.as_bytes())?,),
        )?;
        let conn = module
            .getattr(intern!(py, "Connection"))?
            .call1((context, py.None()))?;
        conn.call_method0(state)?;
        PyResult::Ok(conn)
    };
    let (server, client) = (make("set_accept_state")?, make("set_connect_state")?);
    let ends = [Objects::connection(&client)?, Objects::connection(&server)?];
    let [near, far] = &ends;
    let mut pump = || {
        for (from, to) in [(near, far), (far, near)] {
            if let Some(data) = from.outgoing(py)? {
                to.feed(py, &data)?;
            }
        }
        Ok(())
    };
    shake_hands(&client, &server, &mut pump)?;
    let session = pyopenssl::session(table, &server, &server.getattr(intern!(py, "_ssl"))?)?;
    let session = session.ok_or_else(|| wrong("the connection has no SSL*"))?;
    let theirs = (
        server
            .call_method0(intern!(py, "get_protocol_version_name"))?
            .extract()?,
        server
            .call_method0(intern!(py, "get_cipher_name"))?
            .extract()?,
    );
    let server = Engine {
        objects: Objects::connection(&server)?,
        direct: Some(Direct::new(session)),
    };
    compare(py, &server, theirs, near, &mut pump)
}

/// Lets two ends shake hands; `pump` carries what they have to say.
fn shake_hands(
    client: &Bound<'_, PyAny>,
    server: &Bound<'_, PyAny>,
    mut pump: impl FnMut() -> PyResult<()>,
) -> PyResult<()> {
    let py = client.py();
    let mut unfinished = None;
    for _ in 0..FLIGHTS {
        unfinished = None;
        for end in [client, server] {
            if let Err(error) = end.call_method0(intern!(py, "do_handshake")) {
                unfinished = Some(error);
            }
            pump()?;
        }
        if unfinished.is_none() {
            break;
        }
    }
    unfinished.map_or(Ok(()), Err)
}

/// Compares what a server does directly with what its client sees by Python's methods.
fn compare(
    py: Python<'_>,
    server: &Engine,
    theirs: (String, String),
    client: &Objects,
    pump: &mut dyn FnMut() -> PyResult<()>,
) -> PyResult<()> {
    if server.description() != Some(theirs) {
        return Err(wrong("the version or the cipher is another one"));
    }
    let sent: Vec<u8> = (0..LENGTH).map(|index| (index % 251) as u8).collect();
    let sent = make::bytes(py, &sent)?;
    write_all(&sent, |data| client.write(py, data))?;
    pump()?;
    match server.read(py, LENGTH + 1) {
        Read::Data(came) if came.as_bytes() == sent.as_bytes() => {}
        _ => return Err(wrong("what comes isn't what was sent")),
    }
    if !matches!(server.read(py, 1), Read::Empty) {
        return Err(wrong("something comes that wasn't sent"));
    }
    write_all(&sent, |data| server.write(py, data))?;
    pump()?;
    let mut back = Vec::new();
    while let Read::Data(part) = client.read(py, LENGTH) {
        back.extend_from_slice(part.as_bytes());
    }
    if back == sent.as_bytes() {
        Ok(())
    } else {
        Err(wrong("what arrives isn't what was sent"))
    }
}

/// Writes, a record at a time where that is all that is taken (pyOpenSSL).
fn write_all<'py>(
    data: &Bound<'py, PyBytes>,
    write: impl Fn(&Bound<'py, PyAny>) -> Written,
) -> PyResult<()> {
    let mut rest = data.as_bytes();
    while !rest.is_empty() {
        let piece = make::bytes(data.py(), rest)?;
        match write(piece.as_any()) {
            Written::Taken(count) if count > 0 => rest = rest.get(count..).unwrap_or_default(),
            Written::Failed(error) => return Err(error),
            Written::Taken(_) | Written::Blocked => return Err(wrong("nothing can be sent")),
        }
    }
    Ok(())
}

fn wrong(what: &str) -> PyErr {
    PyRuntimeError::new_err(Said(format!("self-check: {what}")))
}
