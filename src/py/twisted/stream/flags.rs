//! The flags of a transport as attributes. Twisted's code sets numbers and booleans.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

use super::{Flag, StreamTransport, missing};

impl StreamTransport {
    fn flag(&self, py: Python<'_>, flag: Flag) -> Py<PyAny> {
        let state = self.state.lock(py);
        match state.own.get(flag as u32) {
            Some(own) => own.clone_ref(py),
            None => PyBool::new(py, state.is(flag))
                .to_owned()
                .into_any()
                .unbind(),
        }
    }

    fn set_flag(&self, flag: Flag, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let on = value.is_truthy()?;
        let own = (!is_plain(value)).then(|| value.clone().unbind());
        let before = {
            let mut state = self.state.lock(value.py());
            state.set(flag, on);
            state.own.put(flag as u32, true, own)
        };
        drop(before);
        Ok(())
    }

    fn delete_flag(&self, py: Python<'_>, flag: Flag, name: &str) -> PyResult<()> {
        let before = {
            let mut state = self.state.lock(py);
            if !state.own.is_set(flag as u32) {
                return Err(missing(name));
            }
            state.set(flag, false);
            state.own.put(flag as u32, false, None)
        };
        drop(before);
        Ok(())
    }
}

/// Whether a value says no more than yes or no.
fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyInt>() && matches!(value.extract::<i64>(), Ok(0 | 1))
}

macro_rules! flags {
    ($($flag:ident $name:ident $get:ident $set:ident $delete:ident)*) => {
        #[pymethods]
        #[allow(non_snake_case)]
        impl StreamTransport {
            $(
                #[getter($name)]
                fn $get(&self, py: Python<'_>) -> Py<PyAny> {
                    self.flag(py, Flag::$flag)
                }

                #[setter($name)]
                fn $set(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
                    self.set_flag(Flag::$flag, value)
                }

                #[deleter($name)]
                fn $delete(&self, py: Python<'_>) -> PyResult<()> {
                    self.delete_flag(py, Flag::$flag, stringify!($name))
                }
            )*
        }
    };
}

flags! {
    Connected connected get_connected set_connected delete_connected
    Disconnected disconnected get_disconnected set_disconnected delete_disconnected
    Disconnecting disconnecting get_disconnecting set_disconnecting delete_disconnecting
    WriteDisconnecting _writeDisconnecting
        get_write_disconnecting set_write_disconnecting delete_write_disconnecting
    WriteDisconnected _writeDisconnected
        get_write_disconnected set_write_disconnected delete_write_disconnected
    StreamingProducer streamingProducer
        get_streaming_producer set_streaming_producer delete_streaming_producer
    ProducerPaused producerPaused
        get_producer_paused set_producer_paused delete_producer_paused
    Tls TLS get_tls set_tls delete_tls
    Aborting _aborting get_aborting set_aborting delete_aborting
}

#[pymethods]
impl StreamTransport {
    #[getter(_unix)]
    fn get_unix(&self, py: Python<'_>) -> bool {
        self.is(py, Flag::Unix)
    }

    #[setter(_unix)]
    fn set_unix(&self, py: Python<'_>, on: bool) {
        self.set(py, Flag::Unix, on);
    }

    #[getter(_corked)]
    fn get_corked(&self, py: Python<'_>) -> bool {
        self.is(py, Flag::Corked)
    }

    #[setter(_corked)]
    fn set_corked(&self, py: Python<'_>, on: bool) {
        self.set(py, Flag::Corked, on);
    }
}
