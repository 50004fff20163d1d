package docker

import (
	"pigsty/internal/diag"
	"pigsty/internal/param"
)

// App is one entry of apps, an application made of containers.
type App struct {
	_ struct{} `doc:"An application made of containers."`

	Pos  diag.Pos
	Src  string                   `param:"src" doc:"Directory to install, on the side that runs pigsty. app/ and the name unless set."`
	Dest string                   `param:"dest" format:"path" doc:"Where it is installed. /opt/ and the name unless set."`
	Conf map[string]param.Setting `param:"conf" secrets:"*pass*,*secret*,*token*,*key*" doc:"Environment of the application, kept in its .env file with names in upper case."`
	File []AppFile                `param:"file" doc:"Files and directories that the application needs."`
	Args string                   `param:"args" doc:"Targets of the application's Makefile that start it."`
}

// AppFile is a file or directory that an application needs.
type AppFile struct {
	_ struct{} `doc:"A file or directory that an application needs."`

	Pos     diag.Pos
	Args    string `param:"args" bare:"true" doc:"The other fields as one text of words like path=/data/app."`
	Path    string `param:"path" aka:"dest,name" format:"path" doc:"Where it is."`
	State   string `param:"state" default:"file" enum:"file,directory,link,hard,touch,absent" doc:"What it is to be."`
	Owner   string `param:"owner" doc:"User that owns it, by name or id."`
	Group   string `param:"group" doc:"Group that owns it, by name or id."`
	Mode    string `param:"mode" doc:"Permissions in octal."`
	Src     string `param:"src" doc:"What a link points at."`
	Recurse bool   `param:"recurse" default:"false" doc:"Whether owner, group and mode apply to everything within a directory."`
}
