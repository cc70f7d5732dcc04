"""The digest's templates; a folder named by DIGEST_TEMPLATES is looked through before this one."""
