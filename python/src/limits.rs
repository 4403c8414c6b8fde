//! `Limits`: which limit a key has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::errors::config;

/// Which limit a key has: those that AWS publishes, those of a TOML file, one over another.
#[pyclass(frozen, module = "apiqueue")]
#[derive(Clone)]
pub(crate) struct Limits {
    /// The lowest first. As text, since a forked child needs accounts of its own.
    layers: Vec<Layer>,
}

#[derive(Clone)]
enum Layer {
    Aws,
    Toml { text: String, from: Option<PathBuf> },
}

impl Layer {
    fn over(&self, beneath: Option<apiqueue::Limits>) -> PyResult<apiqueue::Limits> {
        let Self::Toml { text, from } = self else {
            return Ok(apiqueue::Limits::aws());
        };
        let limits = match beneath {
            Some(beneath) => beneath.overridden(text),
            None => apiqueue::Limits::from_toml(text),
        };
        limits.map_err(|why| match from {
            Some(path) => config(format_args!("{}: {why}", path.display())),
            None => config(format_args!("limits: {why}")),
        })
    }
}

impl Limits {
    fn checked(layers: Vec<Layer>) -> PyResult<Self> {
        let limits = Self { layers };
        limits.live()?;
        Ok(limits)
    }

    /// With accounts of their own.
    pub(crate) fn live(&self) -> PyResult<apiqueue::Limits> {
        let mut limits = None;
        for layer in &self.layers {
            limits = Some(layer.over(limits)?);
        }
        limits.ok_or_else(|| config("there are no limits"))
    }

    /// What was given as limits: `"aws"`, the text or the path of a TOML file, or limits.
    pub(crate) fn of(given: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(limits) = given.cast::<Self>() {
            return Ok(limits.get().clone());
        }
        if given.extract::<String>().is_ok_and(|said| said == "aws") {
            return Ok(Self::aws());
        }
        Self::checked(vec![layer(given)?])
    }
}

/// A TOML file, or its text: which has more than one line or a `=` in it, or begins with a `[`.
fn layer(given: &Bound<'_, PyAny>) -> PyResult<Layer> {
    if let Ok(text) = given.extract::<String>()
        && (text.contains(['\n', '=']) || text.starts_with('['))
    {
        return Ok(Layer::Toml { text, from: None });
    }
    let path = given
        .extract::<OsString>()
        .or_else(|_| given.extract::<PathBuf>().map(Into::into));
    let path = path.map_err(|_: PyErr| {
        PyTypeError::new_err(format!(
            "limits={given:?} may be 'aws', the path or the text of a TOML file, or a Limits"
        ))
    })?;
    read(Path::new(&path))
}

fn read(path: &Path) -> PyResult<Layer> {
    let text = std::fs::read_to_string(path).map_err(|why| {
        config(format_args!(
            "limits: {} can't be read: {why}",
            path.display()
        ))
    })?;
    let from = Some(path.to_owned());
    Ok(Layer::Toml { text, from })
}

#[pymethods]
impl Limits {
    /// Those that AWS publishes for EC2 and others; keys are `service/region/Operation`.
    #[staticmethod]
    fn aws() -> Self {
        let layers = vec![Layer::Aws];
        Self { layers }
    }

    /// Those of a TOML file: of its path, or its text. Raises `ConfigError` with the line, the key and what it may be.
    #[staticmethod]
    fn from_toml(path: &Bound<'_, PyAny>) -> PyResult<Self> {
        Self::checked(vec![layer(path)?])
    }

    /// These under those of a TOML file, or its text: what that says of a key goes first.
    fn overridden(&self, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut layers = self.layers.clone();
        layers.push(layer(path)?);
        Self::checked(layers)
    }

    pub(crate) fn __repr__(&self) -> String {
        let layers = self.layers.iter().map(|layer| match layer {
            Layer::Aws => "aws".to_owned(),
            Layer::Toml {
                from: Some(path), ..
            } => path.display().to_string(),
            Layer::Toml { from: None, .. } => "text".to_owned(),
        });
        format!("<Limits: {}>", layers.collect::<Vec<_>>().join(", under "))
    }
}
