//! The permissions that AWS RAM manages, and which of them a share has.
//!
//! For DataZone domains these are the four whose names AWS's own managed policy has; versions are
//! given as lists of AWS show them. The permissions that documents name for the same thing do not
//! exist, unless a world has `wrong_permission_names`.

use serde_json::{Value, json};

use super::state::{Share, invalid, not_permitted, save, unknown, with_token};
use super::{PAGES, own_share};
use crate::services::{AwsFault, Call, Reply};
use crate::spec::WorldSpec;
use crate::world::World;

/// When AWS made them, as far as anybody is told.
const MADE: &str = "2023-10-01T00:00:00Z";

/// One managed permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Permission {
    name: &'static str,
    resource_type: &'static str,
    version: u32,
    /// What a share gets when nobody chooses.
    preset: bool,
    actions: &'static [&'static str],
}

const DOMAIN: &str = "datazone:Domain";
const DOMAIN_ACTIONS: &[&str] = &["datazone:Get*", "datazone:List*", "datazone:Search*"];
const FULL_ACTIONS: &[&str] = &["datazone:*"];

/// Those of DataZone domains.
const DOMAIN_PERMISSIONS: [Permission; 4] = [
    domain("AWSRAMDefaultPermissionAmazonDataZoneDomain", 7, true, DOMAIN_ACTIONS),
    domain(
        "AWSRAMPermissionAmazonDataZoneDomainFullAccessWithPortalAccess",
        7,
        false,
        FULL_ACTIONS,
    ),
    domain("AWSRAMPermissionsAmazonDatazoneDomainExtendedServiceAccess", 10, false, FULL_ACTIONS),
    domain(
        "AWSRAMPermissionsAmazonDatazoneDomainExtendedServiceWithPortalAccess",
        10,
        false,
        FULL_ACTIONS,
    ),
];

/// What documents call them.
const DOCUMENTED_PERMISSIONS: [Permission; 2] = [
    domain("AWSRAMPermissionDataZoneDefault", 1, true, DOMAIN_ACTIONS),
    domain("AWSRAMPermissionDataZonePortalReadWrite", 1, false, FULL_ACTIONS),
];

/// Those that Lake Formation's own shares have.
const GLUE_PERMISSIONS: [Permission; 3] = [
    Permission {
        name: "AWSRAMDefaultPermissionGlueCatalog",
        resource_type: "glue:Catalog",
        version: 1,
        preset: true,
        actions: &["glue:GetCatalog", "glue:GetDatabases"],
    },
    Permission {
        name: "AWSRAMDefaultPermissionGlueDatabase",
        resource_type: "glue:Database",
        version: 1,
        preset: true,
        actions: &["glue:GetDatabase", "glue:GetTables"],
    },
    Permission {
        name: "AWSRAMDefaultPermissionGlueTable",
        resource_type: "glue:Table",
        version: 1,
        preset: true,
        actions: &["glue:GetTable", "glue:GetPartitions"],
    },
];

const fn domain(
    name: &'static str,
    version: u32,
    preset: bool,
    actions: &'static [&'static str],
) -> Permission {
    Permission { name, resource_type: DOMAIN, version, preset, actions }
}

impl Permission {
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:ram::aws:permission/{}", self.name)
    }

    fn shown(&self) -> Value {
        json!({
            "arn": self.arn(), "version": self.version.to_string(), "defaultVersion": true,
            "name": self.name, "resourceType": self.resource_type, "status": "ATTACHABLE",
            "creationTime": MADE, "lastUpdatedTime": MADE, "isResourceTypeDefault": self.preset,
            "permissionType": "AWS_MANAGED", "featureSet": "STANDARD",
        })
    }
}

/// The types of resources that can be shared.
pub(super) fn resource_types() -> impl Iterator<Item = &'static str> {
    [DOMAIN].into_iter().chain(GLUE_PERMISSIONS.iter().map(|permission| permission.resource_type))
}

fn all(world: &World<'_>) -> Vec<Permission> {
    let domains: &[Permission] = match WorldSpec::of(world).failures.wrong_permission_names {
        true => &DOCUMENTED_PERMISSIONS,
        false => &DOMAIN_PERMISSIONS,
    };
    domains.iter().chain(&GLUE_PERMISSIONS).copied().collect()
}

/// The permission with this ARN.
pub(super) fn by_arn(world: &World<'_>, arn: &str) -> Result<Permission, AwsFault> {
    all(world)
        .into_iter()
        .find(|permission| permission.arn() == arn)
        .ok_or_else(|| unknown(format!("Permission {arn} could not be found.")))
}

/// Gives a share the preset permission of a type for which it has none yet.
pub(super) fn complete(world: &World<'_>, share: &mut Share, resource_type: &str) {
    let of_type: Vec<Permission> =
        all(world).into_iter().filter(|known| known.resource_type == resource_type).collect();
    let has_one = of_type.iter().any(|known| share.permissions.contains(&known.arn()));
    if !has_one && let Some(preset) = of_type.iter().find(|known| known.preset) {
        share.permissions.push(preset.arn());
    }
}

/// `ListPermissions`.
pub(super) fn list(call: &Call<'_>) -> Reply {
    let wanted = call.text("resourceType");
    let known = resource_types().any(|kind| kind.eq_ignore_ascii_case(wanted));
    if !wanted.is_empty() && !known {
        return Err(invalid(format!(
            "The resource type {wanted} is not one that the sandbox shares (it shares {})",
            resource_types().collect::<Vec<_>>().join(", ")
        )));
    }
    let mut permissions = all(call.world);
    permissions.retain(|permission| {
        wanted.is_empty() || permission.resource_type.eq_ignore_ascii_case(wanted)
    });
    if call.text("permissionType") == "CUSTOMER_MANAGED" {
        permissions.clear();
    }
    PAGES.page(call, "permissions", permissions.iter().map(Permission::shown).collect())
}

/// `GetPermission`.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let permission = by_arn(call.world, call.text("permissionArn"))?;
    let version = call.input.get("permissionVersion").and_then(Value::as_u64);
    if version.is_some_and(|version| version != u64::from(permission.version)) {
        return Err(unknown(format!(
            "Version {} of {} could not be found.",
            version.unwrap_or_default(),
            permission.arn()
        )));
    }
    let mut shown = permission.shown();
    shown["permission"] =
        json!(json!({"Effect": "Allow", "Action": permission.actions}).to_string());
    Ok(json!({ "permission": shown }))
}

/// `ListResourceSharePermissions`.
pub(super) fn of_share(call: &Call<'_>) -> Reply {
    let arn = call.text("resourceShareArn");
    let visible = super::visible_share(call, arn)?;
    let permissions: Result<Vec<Value>, AwsFault> = visible
        .permissions
        .iter()
        .map(|arn| by_arn(call.world, arn).map(|permission| permission.shown()))
        .collect();
    PAGES.page(call, "permissions", permissions?)
}

/// `AssociateResourceSharePermission`.
pub(super) fn associate(call: &Call<'_>) -> Reply {
    let (scope, mut share) = own_share(call)?;
    let permission = by_arn(call.world, call.text("permissionArn"))?;
    let replace = call.input.get("replace").and_then(Value::as_bool).unwrap_or(false);
    let of_type = |arn: &String| {
        by_arn(call.world, arn).is_ok_and(|other| other.resource_type == permission.resource_type)
    };
    let others: Vec<String> =
        share.permissions.iter().filter(|arn| of_type(arn)).cloned().collect();
    if !replace && others.iter().any(|arn| *arn != permission.arn()) {
        return Err(invalid(format!(
            "Resource share {} has a permission for {} already; use replace to change it.",
            share.arn, permission.resource_type
        )));
    }
    if others != [permission.arn()] {
        share.permissions.retain(|arn| !others.contains(arn));
        share.permissions.push(permission.arn());
        share.updated = call.world.now_text();
        save(call.world, &scope, &share);
    }
    Ok(with_token(call, json!({"returnValue": true})))
}

/// `DisassociateResourceSharePermission`.
pub(super) fn disassociate(call: &Call<'_>) -> Reply {
    let (scope, mut share) = own_share(call)?;
    let permission = by_arn(call.world, call.text("permissionArn"))?;
    if !share.permissions.contains(&permission.arn()) {
        return Err(unknown(format!(
            "Permission {} is not associated with resource share {}.",
            permission.arn(),
            share.arn
        )));
    }
    let used = share.links_of(super::state::Kind::Resource).any(|link| {
        super::state::resource_type(&link.entity) == Some(permission.resource_type)
            && link.status != "DISASSOCIATED"
    });
    if used {
        return Err(not_permitted(format!(
            "Resource share {} still has resources of the type {}.",
            share.arn, permission.resource_type
        )));
    }
    share.permissions.retain(|arn| *arn != permission.arn());
    share.updated = call.world.now_text();
    save(call.world, &scope, &share);
    Ok(with_token(call, json!({"returnValue": true})))
}
