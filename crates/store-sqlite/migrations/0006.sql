-- Rules about the very topic or filter that their pattern is.
ALTER TABLE role_rule ADD COLUMN literal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential_rule ADD COLUMN literal INTEGER NOT NULL DEFAULT 0;

-- Roles that grant no SUBSCRIBE with a wildcard.
ALTER TABLE role ADD COLUMN no_wildcards INTEGER NOT NULL DEFAULT 0;

-- What a tenant's clients without a login may do: until now, what its credentials
-- may do if no rule says so.
ALTER TABLE tenant ADD COLUMN anonymous_rights TEXT NOT NULL DEFAULT 'namespaces';
UPDATE tenant SET anonymous_rights = default_rights;
ALTER TABLE tenant ADD COLUMN sys_read INTEGER NOT NULL DEFAULT 0;

-- The roles that a tenant's devices and things hold by default (holder is
-- 'default'), and those of its clients without a login ('anonymous').
CREATE TABLE tenant_role (
    tenant TEXT NOT NULL,
    holder TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (tenant, holder, role),
    FOREIGN KEY (tenant, role) REFERENCES role (tenant, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
