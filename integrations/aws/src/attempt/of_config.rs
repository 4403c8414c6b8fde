//! What the SDK's own configuration says of an attempt, before it is signed.

use aws_smithy_runtime_api::client::endpoint::{EndpointResolverParams, ResolveEndpoint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::Document;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::endpoint::Endpoint;
use aws_types::SigningName;
use aws_types::region::{Region, SigningRegion};

use super::Attempt;

impl Attempt {
    /// As the signer will see it: the endpoint's rules go before the configuration, since some services are signed for another
    /// region or name than the one that was configured.
    pub(crate) async fn to_be_signed(components: &RuntimeComponents, config: &ConfigBag) -> Self {
        let mut attempt = Self::configured(config);
        let Some(params) = config.load::<EndpointResolverParams>() else {
            return attempt;
        };
        // One that can't be resolved is an error that the SDK itself will meet, and tell, after the turn.
        let resolver = components.endpoint_resolver();
        if let Ok(endpoint) = resolver.resolve_endpoint(params).await {
            let rules = Rules::of(&endpoint);
            attempt.region = rules.region.unwrap_or(attempt.region);
            attempt.service = rules.service.unwrap_or(attempt.service);
        }
        attempt
    }

    fn configured(config: &ConfigBag) -> Self {
        let operation = config.load::<Metadata>();
        let name = config.load::<SigningName>().map(text);
        let region = config.load::<SigningRegion>().map(text);
        Self {
            service: name
                .or_else(|| operation.map(|it| it.service().to_owned()))
                .unwrap_or_default(),
            region: region
                .or_else(|| config.load::<Region>().map(text))
                .unwrap_or_default(),
            operation: operation.map(|it| it.name().to_owned()).unwrap_or_default(),
        }
    }
}

fn text(name: &impl AsRef<str>) -> String {
    name.as_ref().to_owned()
}

/// What an endpoint's rules say about signing.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rules {
    region: Option<String>,
    service: Option<String>,
}

impl Rules {
    /// Of the scheme that the rules put first.
    fn of(endpoint: &Endpoint) -> Self {
        if let Some(scheme) = endpoint.auth_schemes().first() {
            return Self::saying(|key| scheme.get(key));
        }
        // Where the runtime is older, and where somebody wrote an endpoint resolver of his own.
        let schemes = endpoint.properties().get("authSchemes");
        let first = schemes
            .and_then(Document::as_array)
            .and_then(|it| it.first());
        let Some(scheme) = first.and_then(Document::as_object) else {
            return Self::default();
        };
        Self::saying(|key| scheme.get(key))
    }

    fn saying<'a>(property: impl Fn(&str) -> Option<&'a Document>) -> Self {
        let text = |key| {
            let text = property(key).and_then(Document::as_string);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Self {
            region: text("signingRegion"),
            service: text("signingName"),
        }
    }
}

/// With a newer `aws-smithy-types`, 1.9 for one, `Endpoint` has a method of this name itself, which goes before this one.
trait AuthSchemes {
    #[allow(dead_code, reason = "with a newer runtime")]
    fn auth_schemes(&self) -> &[Unheard] {
        &[]
    }
}

impl AuthSchemes for Endpoint {}

/// A scheme where there are none.
enum Unheard {}

impl Unheard {
    #[allow(dead_code, reason = "with a newer runtime")]
    fn get(&self, _: &str) -> Option<&Document> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn rules(schemes: impl Into<Document>) -> Rules {
        let endpoint = Endpoint::builder().url("http://localhost");
        Rules::of(&endpoint.property("authSchemes", schemes).build())
    }

    fn scheme(properties: &[(&str, &str)]) -> Document {
        let properties = properties.iter();
        let properties = properties.map(|&(key, value)| (key.to_owned(), value.into()));
        Document::Object(properties.collect::<HashMap<_, _>>())
    }

    #[test]
    fn the_first_scheme_says_for_what_it_is_signed() {
        let first = scheme(&[
            ("name", "sigv4"),
            ("signingRegion", "us-east-1"),
            ("signingName", "iam"),
        ]);
        let second = scheme(&[("name", "sigv4a"), ("signingRegion", "eu-west-1")]);
        let said = rules(vec![first, second]);
        assert_eq!(said.region.as_deref(), Some("us-east-1"));
        assert_eq!(said.service.as_deref(), Some("iam"));
    }

    #[test]
    fn rules_that_say_nothing_or_nonsense_change_nothing() {
        assert_eq!(rules(Vec::<Document>::new()), Rules::default());
        assert_eq!(rules("sigv4"), Rules::default());
        assert_eq!(rules(vec![Document::from("sigv4")]), Rules::default());
        let empty = scheme(&[("name", "sigv4"), ("signingRegion", "")]);
        assert_eq!(rules(vec![empty]), Rules::default());
        let plain = Endpoint::builder().url("http://localhost").build();
        assert_eq!(Rules::of(&plain), Rules::default());
    }
}
