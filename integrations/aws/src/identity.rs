//! [`PacedIdentityCache`]: each attempt takes its turn before it is signed.
//!
//! The SDK asks its identity cache at the start of every attempt, retries included: before it resolves the endpoint, signs, and calls
//! the HTTP client. So what waits here waits before the signature, and outside of all that watches the HTTP client.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use apiqueue::Route;
use aws_credential_types::Credentials;
use aws_credential_types::attributes::AccountId;
use aws_runtime::invocation_id::InvocationId;
use aws_smithy_runtime::client::identity::no_auth::NoAuthIdentity;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::identity::http::{Login, Token};
use aws_smithy_runtime_api::client::identity::{
    Identity, IdentityFuture, ResolveCachedIdentity, SharedIdentityCache, SharedIdentityResolver,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};

use crate::attempt::Attempt;
use crate::granted::{Granted, Pass, Slot};

/// An identity this close to its end is looked up again, as by the SDK's own cache.
const BUFFER: Duration = Duration::from_secs(10);

/// An identity cache for the SDK's configuration that lets each attempt take its turn before it is signed; from
/// [`Paced::identity_cache`](crate::Paced::identity_cache).
#[derive(Clone)]
pub struct PacedIdentityCache {
    inner: SharedIdentityCache,
    route: Route<Attempt>,
    granted: Granted,
}

impl PacedIdentityCache {
    pub(crate) fn new(inner: SharedIdentityCache, route: Route<Attempt>, granted: Granted) -> Self {
        Self {
            inner,
            route,
            granted,
        }
    }

    async fn after_its_turn(
        &self,
        id: InvocationId,
        resolver: SharedIdentityResolver,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<Identity, BoxError> {
        // Of the attempt before this one, if it died on the way.
        if let Some(pass) = self.granted.take(&id) {
            pass.give_back();
        }
        // First, so that a turn need not wait until a cold cache is filled.
        let mut identity = self.look_up(&resolver, components, config).await?;
        let slot = Arc::new(Slot::default());
        let Some(mut carrier) = carrying(&identity, &slot) else {
            return Ok(identity);
        };
        let attempt = Attempt::to_be_signed(components, config).await;
        let pass = match self.route.place(&attempt)? {
            Some(place) => Pass::Turn(place.await?.await?),
            None => Pass::Free,
        };
        let now = components.time_source().map(|source| source.now());
        if is_over(&identity, now.unwrap_or_else(SystemTime::now)) {
            identity = self.look_up(&resolver, components, config).await?;
            carrier = carrying(&identity, &slot).unwrap_or(identity);
        }
        slot.put(pass);
        self.granted.put(id, &slot);
        Ok(carrier)
    }

    async fn look_up(
        &self,
        resolver: &SharedIdentityResolver,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<Identity, BoxError> {
        self.inner
            .resolve_cached_identity(resolver.clone(), components, config)
            .await
    }
}

impl ResolveCachedIdentity for PacedIdentityCache {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        // What is presigned has no id: it is not sent, and takes no turn.
        match config.load::<InvocationId>().cloned() {
            Some(id) => IdentityFuture::new(self.after_its_turn(id, resolver, components, config)),
            None => self
                .inner
                .resolve_cached_identity(resolver, components, config),
        }
    }

    /// A shared cache does not hand this on to the one inside, so that what the SDK's own asks for is asked for here.
    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        _: &ConfigBag,
    ) -> Result<(), BoxError> {
        if components.time_source().is_none() || components.sleep_impl().is_none() {
            return Err(
                "an identity cache needs the configuration's time_source and sleep_impl".into(),
            );
        }
        Ok(())
    }
}

impl fmt::Debug for PacedIdentityCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedIdentityCache")
            .field("inner", &self.inner)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// Whether it would be too old to sign with.
fn is_over(identity: &Identity, now: SystemTime) -> bool {
    identity.expiration().is_some_and(|end| end <= now + BUFFER)
}

/// The same identity, with `slot` in its care. None of a kind that isn't known here and so can't be copied.
fn carrying(identity: &Identity, slot: &Arc<Slot>) -> Option<Identity> {
    let mut copy = Identity::builder();
    if let Some(credentials) = identity.data::<Credentials>() {
        copy.set_data(credentials.clone());
    } else if let Some(token) = identity.data::<Token>() {
        copy.set_data(token.clone());
    } else if let Some(login) = identity.data::<Login>() {
        copy.set_data(login.clone());
    } else {
        identity.data::<NoAuthIdentity>()?;
        copy.set_data(NoAuthIdentity::new());
    }
    copy.set_expiration(identity.expiration());
    // All the properties that the SDK gives to an identity.
    if let Some(features) = identity.property::<FrozenLayer>() {
        copy.set_property(features.clone());
    }
    if let Some(account) = identity.property::<AccountId>() {
        copy.set_property(account.clone());
    }
    copy.set_property(Arc::clone(slot));
    copy.build().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::UNIX_EPOCH;

    use aws_credential_types::credential_feature::AwsCredentialFeature;

    use super::*;

    fn properties(identity: &Identity) -> usize {
        format!("{identity:?}").matches("property_").count()
    }

    /// With all that the SDK may put into an identity, so that this fails with a runtime that puts in more.
    #[test]
    fn a_copy_of_credentials_lacks_nothing() {
        let end = UNIX_EPOCH + Duration::from_secs(60);
        let mut credentials = Credentials::builder()
            .access_key_id("EXAMPLE")
            .secret_access_key("example")
            .account_id("123456789012")
            .expiry(end)
            .provider_name("test")
            .build();
        let features = vec![AwsCredentialFeature::CredentialsCode];
        credentials.set_property(features);
        let identity = Identity::from(credentials.clone());
        let copy = carrying(&identity, &Arc::default()).unwrap();
        assert_eq!(copy.data::<Credentials>(), Some(&credentials));
        assert_eq!(copy.expiration(), Some(end));
        assert_eq!(
            copy.property::<AccountId>().unwrap().as_str(),
            "123456789012"
        );
        assert!(copy.property::<FrozenLayer>().is_some());
        assert_eq!(properties(&copy), properties(&identity) + 1);
    }

    #[test]
    fn each_kind_of_the_sdks_is_carried_and_others_are_left_alone() {
        let carried = |identity: Identity| carrying(&identity, &Arc::default()).is_some();
        assert!(carried(Identity::new(Token::new("token", None), None)));
        let login = Login::new("name", "password", None);
        assert!(carried(Identity::new(login, None)));
        assert!(carried(Identity::new(NoAuthIdentity::new(), None)));
        assert!(!carried(Identity::new("of another kind", None)));
    }

    #[test]
    fn the_copy_keeps_the_turn_and_its_end_gives_it_back() {
        let slot = Arc::new(Slot::default());
        let identity = Identity::new(Token::new("token", None), None);
        let copy = carrying(&identity, &slot).unwrap();
        let clone = copy.clone();
        let left = Arc::downgrade(&slot);
        drop((slot, copy));
        assert_eq!(left.strong_count(), 1);
        drop(clone);
        assert_eq!(left.strong_count(), 0);
    }

    #[test]
    fn an_identity_ends_ten_seconds_early() {
        let end = UNIX_EPOCH + Duration::from_secs(60);
        let identity = Identity::new(Token::new("token", Some(end)), Some(end));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!is_over(&identity, at(49)));
        assert!(is_over(&identity, at(50)));
        assert!(!is_over(
            &Identity::new("never", None),
            at(u64::from(u32::MAX))
        ));
    }
}
