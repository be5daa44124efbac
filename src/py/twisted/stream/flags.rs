//! The flags of a transport as attributes. Twisted's code sets numbers and booleans.

use pyo3::prelude::*;

use super::{Flag, StreamTransport};

#[pymethods]
#[allow(non_snake_case)]
impl StreamTransport {
    #[getter]
    fn get_connected(&self) -> bool {
        self.is(Flag::Connected)
    }

    #[setter]
    fn set_connected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Connected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_disconnected(&self) -> bool {
        self.is(Flag::Disconnected)
    }

    #[setter]
    fn set_disconnected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Disconnected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_disconnecting(&self) -> bool {
        self.is(Flag::Disconnecting)
    }

    #[setter]
    fn set_disconnecting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Disconnecting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_writeDisconnecting)]
    fn get_write_disconnecting(&self) -> bool {
        self.is(Flag::WriteDisconnecting)
    }

    #[setter(_writeDisconnecting)]
    fn set_write_disconnecting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::WriteDisconnecting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_writeDisconnected)]
    fn get_write_disconnected(&self) -> bool {
        self.is(Flag::WriteDisconnected)
    }

    #[setter(_writeDisconnected)]
    fn set_write_disconnected(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::WriteDisconnected, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_streamingProducer(&self) -> bool {
        self.is(Flag::StreamingProducer)
    }

    #[setter]
    fn set_streamingProducer(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::StreamingProducer, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_producerPaused(&self) -> bool {
        self.is(Flag::ProducerPaused)
    }

    #[setter]
    fn set_producerPaused(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::ProducerPaused, on.is_truthy()?);
        Ok(())
    }

    #[getter]
    fn get_TLS(&self) -> bool {
        self.is(Flag::Tls)
    }

    #[setter]
    fn set_TLS(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Tls, on.is_truthy()?);
        Ok(())
    }

    #[getter(_aborting)]
    fn get_aborting(&self) -> bool {
        self.is(Flag::Aborting)
    }

    #[setter(_aborting)]
    fn set_aborting(&self, on: &Bound<'_, PyAny>) -> PyResult<()> {
        self.set(Flag::Aborting, on.is_truthy()?);
        Ok(())
    }

    #[getter(_unix)]
    fn get_unix(&self) -> bool {
        self.is(Flag::Unix)
    }

    #[setter(_unix)]
    fn set_unix(&self, on: bool) {
        self.set(Flag::Unix, on);
    }

    #[getter(_corked)]
    fn get_corked(&self) -> bool {
        self.is(Flag::Corked)
    }

    #[setter(_corked)]
    fn set_corked(&self, on: bool) {
        self.set(Flag::Corked, on);
    }
}
